//! What is no object of a store.

use follower::AskError;
use http::StatusCode;

use crate::mirrors;
use crate::server::{Server, dead};

#[tokio::test]
async fn the_first_who_answers_is_believed() {
    let nobody = dead().await;
    let file_server = Server::refusing(StatusCode::NOT_FOUND).await;
    let gateway = Server::serving(b"well").await;
    let answer = mirrors(&[&nobody, &file_server.base, &gateway.base]).ask("v1/status", 4).await;
    assert_eq!(answer.unwrap(), "well");
    assert_eq!(gateway.targets(), ["/store/v1/status"]);
}

#[tokio::test]
async fn an_answer_above_the_limit_is_none() {
    let gateway = Server::serving(b"well").await;
    let refused = mirrors(&[&gateway.base]).ask("v1/status", 3).await;
    assert!(
        matches!(&refused, Err(AskError::Unavailable { failures, .. }) if failures.iter().count() == 1),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_cannot_be_a_path_is_asked_of_nobody() {
    let gateway = Server::serving(b"well").await;
    let refused = mirrors(&[&gateway.base]).ask("v1/a b\n", 64).await;
    assert!(matches!(refused, Err(AskError::Path { .. })), "{refused:?}");
    assert!(gateway.targets().is_empty());
}
