//! Commands, and why they are refused.

use bytes::Bytes;
use follower::CallError;
use http::{Method, StatusCode};

use crate::mirrors;
use crate::server::{Server, dead, status_only};

const BODY: Bytes = Bytes::from_static(b"{}");

#[tokio::test]
async fn whatever_is_answered_is_the_answer() {
    let publisher = Server::start(async |asked| {
        let mut answer = status_only(StatusCode::CONFLICT);
        *answer.body_mut() = http_body_util::Full::new(Bytes::from(format!("no {} here", asked.method)));
        answer
    });
    let publisher = publisher.await;
    let mirrors = mirrors(&[&publisher.base]);
    for (body, method) in [(Some(BODY), Method::POST), (None, Method::GET)] {
        let answer = mirrors.call("v1/control/commands", body.clone(), 64).await.unwrap();
        assert_eq!((answer.status, &*answer.body), (StatusCode::CONFLICT, format!("no {method} here").as_bytes()));
        let asked = publisher.asked().pop().unwrap();
        assert_eq!((asked.target.as_str(), asked.body), ("/store/v1/control/commands", body.unwrap_or_default()));
    }
}

#[tokio::test]
async fn a_command_goes_to_one_and_is_never_repeated() {
    let (nobody, other) = (dead().await, Server::serving(b"done").await);
    let failed = mirrors(&[&nobody, &other.base]).call("v1/control/commands", Some(BODY), 64).await;
    assert!(matches!(failed, Err(CallError::Fault { base, .. }) if base == nobody));
    assert!(other.asked().is_empty());
    let busy = Server::refusing(StatusCode::SERVICE_UNAVAILABLE).await;
    let answer = mirrors(&[&busy.base, &other.base]).call("v1/control/commands", Some(BODY), 64).await.unwrap();
    assert_eq!((answer.status, busy.asked().len(), other.asked().len()), (StatusCode::SERVICE_UNAVAILABLE, 1, 0));
}

#[tokio::test]
async fn an_answer_above_the_limit_and_a_path_that_is_none_are_errors() {
    let publisher = Server::serving(b"well").await;
    let mirrors = mirrors(&[&publisher.base]);
    assert!(matches!(mirrors.call("v1/control/rollouts", None, 3).await, Err(CallError::Fault { .. })));
    assert!(matches!(mirrors.call("v1/a b\n", None, 64).await, Err(CallError::Path { .. })));
    assert_eq!(publisher.asked().len(), 1);
}
