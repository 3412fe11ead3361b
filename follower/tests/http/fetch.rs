//! Small documents.

use follower::{BaseUrl, Fault, Reason};
use http::header::CONTENT_ENCODING;
use http::{HeaderValue, StatusCode};
use schema::StorePath;

use crate::raw::Raw;
use crate::server::{Server, dead, ok};
use crate::{Forged, impatient_mirrors, mirrors, only};

const ROOT: StorePath = StorePath::Root { version: 2 };
const GOOD: &[u8] = b"the signed bytes";
const MAX: u64 = 64;

/// What happens on fetching from `base` alone.
async fn reason_of(base: &BaseUrl) -> Reason<Forged> {
    let failed = impatient_mirrors(&[base]).fetch(&ROOT, MAX, only(GOOD)).await.expect_err("nothing good is served");
    failed.failures.into_iter().next().expect("one base URL was asked").reason
}

#[tokio::test]
async fn a_document_is_asked_for_below_the_prefix_and_by_name() {
    let server = Server::serving(GOOD).await;
    let fetched = mirrors(&[&server.base]).fetch(&ROOT, MAX, only(GOOD)).await.unwrap();
    assert_eq!(fetched, GOOD);
    let asked = server.asked();
    assert_eq!(asked[0].target, "/store/v1/trust/0000000002.root");
    assert_eq!(asked[0].header("accept-encoding"), Some("identity"));
    assert_eq!(asked[0].header("user-agent"), Some(concat!("driftless/", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn a07_one_good_mirror_among_bad_ones_is_enough() {
    let nobody = dead().await;
    let empty = Server::refusing(StatusCode::NOT_FOUND).await;
    let forged = Server::serving(b"other bytes").await;
    let silent = Raw::start("HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\nthe", b"").await;
    let good = Server::serving(GOOD).await;
    let bad = [&nobody, &empty.base, &forged.base, &silent.base];
    for first in bad {
        for second in bad {
            let mirrors = impatient_mirrors(&[first, second, &good.base]);
            assert_eq!(mirrors.fetch(&ROOT, MAX, only(GOOD)).await.unwrap(), GOOD, "{first} {second}");
        }
    }
}

#[tokio::test]
async fn whoever_failed_is_asked_last_from_then_on() {
    let forged = Server::serving(b"other bytes").await;
    let good = Server::serving(GOOD).await;
    let mirrors = mirrors(&[&forged.base, &good.base]);
    for _ in 0..3 {
        mirrors.clone().fetch(&ROOT, MAX, only(GOOD)).await.unwrap();
    }
    assert_eq!((forged.asked().len(), good.asked().len()), (1, 3));
}

#[tokio::test]
async fn absent_means_that_everybody_said_so() {
    let empty = Server::refusing(StatusCode::NOT_FOUND).await;
    let gone = Server::refusing(StatusCode::GONE).await;
    let broken = Server::refusing(StatusCode::BAD_GATEWAY).await;
    let everywhere = mirrors(&[&empty.base, &gone.base]).fetch(&ROOT, MAX, only(GOOD)).await;
    assert!(everywhere.is_err_and(|failed| failed.is_absent()));
    let somewhere = mirrors(&[&empty.base, &broken.base]).fetch(&ROOT, MAX, only(GOOD)).await;
    assert!(somewhere.is_err_and(|failed| !failed.is_absent()));
}

#[tokio::test]
async fn a_failure_names_every_base_url_and_its_reason() {
    let empty = Server::refusing(StatusCode::NOT_FOUND).await;
    let forged = Server::serving(b"other bytes").await;
    let failed = mirrors(&[&empty.base, &forged.base]).fetch(&ROOT, MAX, only(GOOD)).await.unwrap_err();
    assert_eq!(
        failed.to_string(),
        format!(
            "`v1/trust/0000000002.root` could not be fetched: {} has no such object; {} serves what was refused: forged",
            empty.base, forged.base
        )
    );
}

#[tokio::test]
async fn a05_an_endless_body_is_given_up_whatever_length_it_claims() {
    for opening in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 4611686018427387904\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n",
    ] {
        let endless = Raw::start(opening, &[b'x'; 1024]).await;
        let reason = reason_of(&endless.base).await;
        assert!(matches!(reason, Reason::Fault(Fault::TooLarge { max_bytes: MAX })), "{opening:?}: {reason:?}");
        endless.was_hung_up_on().await;
    }
    let endless = Raw::start("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"4\r\nmore\r\n").await;
    let reason = reason_of(&endless.base).await;
    assert!(matches!(reason, Reason::Fault(Fault::TooLarge { max_bytes: MAX })), "{reason:?}");
    endless.was_hung_up_on().await;
}

#[tokio::test]
async fn a05_an_endless_head_is_given_up() {
    let endless = Raw::start("HTTP/1.1 200 OK\r\n", b"x-more: more\r\n").await;
    let reason = reason_of(&endless.base).await;
    assert!(matches!(reason, Reason::Fault(Fault::Exchange(_))), "{reason:?}");
    endless.was_hung_up_on().await;
}

#[tokio::test]
async fn a05_a_length_that_is_too_short_or_too_long_is_refused() {
    let cut = Raw::start("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nthe signed bytes", b"").await;
    let reason = reason_of(&cut.base).await;
    assert!(matches!(reason, Reason::Refused(Forged)), "{reason:?}");
    let silent = Raw::start("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nthe signed bytes", b"").await;
    let reason = reason_of(&silent.base).await;
    assert!(matches!(reason, Reason::Fault(Fault::TooSlow(_))), "{reason:?}");
}

#[tokio::test]
async fn a06_silence_is_given_up() {
    let mute = Raw::start("", b"").await;
    let reason = reason_of(&mute.base).await;
    assert!(matches!(reason, Reason::Fault(Fault::NoAnswer { .. })), "{reason:?}");
    mute.was_hung_up_on().await;
    let stuck = Raw::start("HTTP/1.1 200 OK\r\n\r\nthe", b"").await;
    let reason = reason_of(&stuck.base).await;
    assert!(matches!(reason, Reason::Fault(Fault::TooSlow(_))), "{reason:?}");
    stuck.was_hung_up_on().await;
}

#[tokio::test]
async fn the_limit_itself_is_allowed() {
    let server = Server::serving(&[b'x'; MAX as usize]).await;
    assert_eq!(
        mirrors(&[&server.base]).fetch(&ROOT, MAX, only(&[b'x'; MAX as usize])).await.unwrap().len() as u64,
        MAX
    );
}

#[tokio::test]
async fn a11_no_status_but_200_is_a_document() {
    for status in [201, 204, 206, 304, 401, 403, 429, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let server = Server::start(move |_| async move {
            let mut answer = ok(if status.as_u16() == 204 || status.as_u16() == 304 { b"" } else { GOOD });
            *answer.status_mut() = status;
            answer
        })
        .await;
        let reason = reason_of(&server.base).await;
        assert!(
            matches!(reason, Reason::Fault(Fault::Status { status: answered, .. }) if answered == status),
            "{reason:?}"
        );
    }
}

#[tokio::test]
async fn a11_an_error_page_or_a_wrapped_body_with_status_200_is_the_checks_to_refuse() {
    let page = Server::serving(b"<html>503</html>").await;
    let wrapped = Server::start(|_| async {
        let mut answer = ok(&b"\x1f\x8b\x08\0not really gzip"[..]);
        answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        answer
    })
    .await;
    let good = Server::serving(GOOD).await;
    let mirrors = mirrors(&[&page.base, &wrapped.base, &good.base]);
    assert_eq!(mirrors.fetch(&ROOT, MAX, only(GOOD)).await.unwrap(), GOOD);
}

#[tokio::test]
async fn a_fetch_can_be_a_task_of_its_own() {
    let server = Server::serving(GOOD).await;
    let mirrors = mirrors(&[&server.base]);
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { mirrors.fetch(&ROOT, MAX, only(GOOD)).await });
    assert_eq!(tasks.join_next().await.unwrap().unwrap().unwrap(), GOOD);
}
