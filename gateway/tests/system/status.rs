//! The status page: its shape, and its filters.

use schema::{Ack, Outcome, Timestamp};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::publication::Publication;
use crate::running::Running;

/// Replaces what differs from run to run, where it is as it should be.
fn settled(mut status: Value) -> Value {
    for pointer in
        ["/now", "/started", "/source/last_answer", "/regions/0/pointer/issued", "/regions/0/pointer/expires"]
    {
        let moment = status.pointer_mut(pointer).expect(pointer);
        let text = moment.as_str().expect("a text");
        text.parse::<Timestamp>().expect("a moment");
        *moment = json!("[moment]");
    }
    status["source"]["name"] = json!("[store]");
    status["version"] = json!("[version]");
    status
}

#[tokio::test]
async fn the_status_has_the_documented_shape() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut agent = Agent::new("web-1");
    let ack = Ack {
        notified_at: Timestamp::from_unix_millis(pointer.issued.unix_millis() + 100),
        at: Timestamp::UNIX_EPOCH,
        step: Some(schema::ack::Step::Check),
        reason: Some("exit 1".into()),
        ..agent.ack(&pointer, Outcome::Failed)
    };
    assert_eq!(gateway.post("/v1/acks", &agent.seal([ack])).await.status, 202);
    let reply = gateway.get("/v1/status", &[]).await;
    assert_eq!(
        (reply.header("content-type"), reply.header("cache-control")),
        (Some("application/json"), Some("no-store"))
    );
    let status = serde_json::to_string_pretty(&settled(reply.json())).expect("JSON");
    insta::assert_snapshot!(status);
}

#[tokio::test]
async fn a_status_can_be_cut_to_an_app_and_a_region() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    publication.publish("edge-proxy", "us-east", 1).await;
    publication.publish("feature-flags", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    for (query, expected) in [
        ("", 3),
        ("?app=edge-proxy", 2),
        ("?region=eu-west", 2),
        ("?app=edge-proxy&region=us-east", 1),
        ("?app=none", 0),
        ("?page=2", 3),
    ] {
        let reply = gateway.get(&format!("/v1/status{query}"), &[]).await;
        assert_eq!(reply.json()["regions"].as_array().map(Vec::len), Some(expected), "{query}");
    }
    assert_eq!(gateway.get("/v1/status?app=../x", &[]).await.status, 400);
}
