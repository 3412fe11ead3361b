//! Acks.

use bytes::Bytes;
use follower::PostError;
use http::{Method, StatusCode};

use crate::mirrors;
use crate::server::{Raw, Server, dead};

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
async fn a_verdict_on_the_body_is_final() {
    for status in [400, 409, 413, 415, 422] {
        let status = StatusCode::from_u16(status).unwrap();
        let strict = Server::refusing(status).await;
        let other = Server::serving(b"thanks").await;
        let refused = mirrors(&[&strict.base, &other.base]).post(ACKS, BODY, 64).await.unwrap_err();
        assert!(matches!(refused, PostError::Refused { status: answered, .. } if answered == status), "{refused:?}");
        assert!(!refused.is_retryable());
        assert!(other.asked().is_empty());
    }
}

#[tokio::test]
async fn when_nobody_takes_it_that_may_change() {
    for status in [301, 403, 404, 408, 429, 500, 503] {
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
