//! Acks.

use bytes::Bytes;
use follower::PostError;
use http::{Method, StatusCode};

use crate::mirrors;
use crate::raw::Raw;
use crate::server::{Server, dead};

const ACKS: &str = "v1/acks";
const BODY: Bytes = Bytes::from_static(b"{}");

#[tokio::test]
async fn the_first_who_takes_it_gets_it_and_is_asked_first_from_then_on() {
    let nobody = dead().await;
    let busy = Server::refusing(StatusCode::TOO_MANY_REQUESTS).await;
    let cdn = Server::refusing(StatusCode::METHOD_NOT_ALLOWED).await;
    let gateway = Server::serving(b"thanks").await;
    let mirrors = mirrors(&[&nobody, &busy.base, &cdn.base, &gateway.base]);
    for _ in 0..3 {
        assert_eq!(mirrors.post(ACKS, BODY, 64).await.unwrap(), "thanks");
    }
    assert_eq!((busy.asked().len(), cdn.asked().len(), gateway.asked().len()), (1, 1, 3));
    let asked = gateway.asked().remove(0);
    assert_eq!((asked.method, asked.target.as_str(), asked.body), (Method::POST, "/store/v1/acks", BODY));
    assert_eq!(asked.headers["content-type"], "application/json");
}

#[tokio::test]
async fn a45_whoever_refuses_a_body_does_not_keep_it_from_the_others() {
    for status in [400, 409, 413, 415, 422] {
        let hostile = Server::refusing(StatusCode::from_u16(status).unwrap()).await;
        let gateway = Server::serving(b"thanks").await;
        let mirrors = mirrors(&[&hostile.base, &gateway.base]);
        for _ in 0..2 {
            assert_eq!(mirrors.post(ACKS, BODY, 64).await.unwrap(), "thanks");
        }
        assert_eq!((hostile.asked().len(), gateway.asked().len()), (1, 2));
    }
}

#[tokio::test]
async fn a_refusal_is_one_if_nobody_is_left_who_might_take_the_body() {
    let strict = Server::refusing(StatusCode::BAD_REQUEST).await;
    let bucket = Server::refusing(StatusCode::FORBIDDEN).await;
    let cdn = Server::refusing(StatusCode::NOT_IMPLEMENTED).await;
    let refused = mirrors(&[&bucket.base, &strict.base, &cdn.base]).post(ACKS, BODY, 64).await.unwrap_err();
    let PostError::Refused { base, status, failures, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!((base, status.as_u16(), failures.iter().count()), (&strict.base, 400, 3));
    assert!(!refused.is_retryable());
    for status in [408, 429, 500, 503] {
        let busy = Server::refusing(StatusCode::from_u16(status).unwrap()).await;
        let failed = mirrors(&[&strict.base, &busy.base]).post(ACKS, BODY, 64).await.unwrap_err();
        assert!(failed.is_retryable(), "{failed:?}");
    }
    let failed = mirrors(&[&strict.base, &dead().await]).post(ACKS, BODY, 64).await.unwrap_err();
    assert!(failed.is_retryable(), "{failed:?}");
}

#[tokio::test]
async fn when_nobody_takes_it_that_may_change() {
    for status in [301, 401, 403, 404, 405, 408, 429, 500, 501, 503] {
        let server = Server::refusing(StatusCode::from_u16(status).unwrap()).await;
        let failed = mirrors(&[&server.base]).post(ACKS, BODY, 64).await.unwrap_err();
        assert!(failed.is_retryable(), "{failed:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_not_read() {
    let endless = Raw::start("HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 1024]).await;
    assert!(mirrors(&[&endless.base]).post(ACKS, BODY, 64).await.is_err());
    endless.was_hung_up_on().await;
}

#[tokio::test]
async fn what_is_no_path_is_not_posted_to() {
    let server = Server::serving(b"thanks").await;
    let refused = mirrors(&[&server.base]).post("v1/acks\r\nx-more: more", BODY, 64).await.unwrap_err();
    assert!(matches!(refused, PostError::Path { .. }), "{refused:?}");
    assert!(server.asked().is_empty());
}
