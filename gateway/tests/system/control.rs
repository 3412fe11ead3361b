//! `/v1/control`: calls for a publisher beside a gateway.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use gateway::{Admit, Call, Control, Presence, Reply};
use http::StatusCode;
use serde_json::json;

use crate::agent::Agent;
use crate::authority::Authority;
use crate::client::Client;
use crate::publication::Publication;
use crate::running::{Running, of_store};
use crate::tls::tls;

/// Somebody who knows one token and says back what was asked.
struct Echo;

impl Control for Echo {
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>> {
        Box::pin(async move {
            let known = call.token.as_ref().is_some_and(|token| token.as_str() == "right");
            let status = if known { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
            let body = std::str::from_utf8(&call.body).expect("text");
            let json = json!({ "method": call.method.as_str(), "path": call.path, "query": call.query, "body": body });
            Reply { status, json }
        })
    }
}

const RIGHT: &[(&str, &str)] = &[("Authorization", "Bearer right")];
const WRONG: &[(&str, &str)] = &[("Authorization", "Bearer wrong")];

#[tokio::test]
async fn a_call_is_passed_on_as_it_came() {
    let publication = Publication::new();
    let gateway = Running::hosting(of_store(&publication), Arc::new(Echo));
    let mut client = gateway.client().await;
    let reply = client.get("/v1/control/rollouts?app=edge-proxy", RIGHT).await;
    let expected = json!({ "method": "GET", "path": "rollouts", "query": "app=edge-proxy", "body": "" });
    assert_eq!((reply.status, reply.json()), (200, expected));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    client.send_with_body("POST", "/v1/control/commands", RIGHT, b"{\"do\":\"freeze\"}").await;
    let expected = json!({ "method": "POST", "path": "commands", "query": null, "body": "{\"do\":\"freeze\"}" });
    assert_eq!(client.reply_to("POST").await.json(), expected);

    client.send("DELETE", "/v1/control/commands", RIGHT).await;
    let reply = client.reply_to("DELETE").await;
    assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, POST")));
    let mut client = gateway.client().await;
    client.send_with_body("POST", "/v1/control/commands", RIGHT, &[b' '; 65 * 1024]).await;
    assert_eq!(client.reply_to("POST").await.status, 413);
}

#[tokio::test]
async fn without_a_publisher_there_is_nothing_to_control() {
    let publication = Publication::new();
    let gateway = Running::start(of_store(&publication));
    let reply = gateway.get("/v1/control/rollouts", RIGHT).await;
    assert_eq!(reply.status, 404);
    assert!(reply.json()["error"].as_str().is_some_and(|error| error.contains("no publisher beside it")), "{reply:?}");
    assert!(reply.json()["hint"].is_string());
}

#[tokio::test]
async fn an_address_that_guesses_tokens_is_soon_told_to_wait() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::hosting(of_store(&publication), Arc::new(Echo));
    gateway.until_ready().await;
    let mut client = gateway.client().await;
    for _ in 0..50 {
        assert_eq!(client.get("/v1/control/rollouts", RIGHT).await.status, 200, "who is right may ask on and on");
    }
    let refused = client.get("/v1/control/rollouts", WRONG).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer realm=\"driftless control\"")));
    let two = [("Authorization", "Bearer right"), ("Authorization", "Bearer right")];
    assert_eq!(client.get("/v1/control/rollouts", &two).await.status, 401, "two tokens are none");
    let mut guesses = 1;
    let cut = loop {
        let reply = client.get("/v1/control/rollouts", WRONG).await;
        if reply.status != 401 {
            break reply;
        }
        guesses += 1;
        assert!(guesses < 100, "no end of guesses");
    };
    assert_eq!(cut.status, 429);
    assert!(cut.header("retry-after").is_some());
    // Agents at that address have nothing to do with it.
    assert_eq!(client.post("/v1/acks", &Agent::new("web-1").applied(&pointer)).await.status, 202);
}

#[tokio::test]
async fn operators_need_no_token_of_an_agent_and_agents_gain_nothing_by_theirs() {
    let publication = Publication::new();
    let folder = tempfile::tempdir().expect("a folder");
    let registry = folder.path().join("agents.yaml");
    let hash = schema::Digest::of(b"of an agent");
    std::fs::write(&registry, format!("agents: {{ web-1: {{ token_sha256: {hash} }} }}\n")).expect("a write");
    let mut config = of_store(&publication);
    config.entrance.admit = Admit::Token;
    config.entrance.agents = Some(registry);
    let gateway = Running::hosting(config, Arc::new(Echo));
    assert_eq!(gateway.get("/v1/control/rollouts", RIGHT).await.status, 200);
    assert_eq!(gateway.get("/v1/status", RIGHT).await.status, 401);
    let agents = [("Authorization", "Bearer of an agent")];
    assert_eq!(gateway.get("/v1/control/rollouts", &agents).await.status, 401);
    assert_eq!(gateway.get("/v1/status", &agents).await.status, 200);
}

#[tokio::test]
async fn where_certificates_are_asked_for_operators_show_one_too() {
    let publication = Publication::new();
    let authority = Authority::new("authority");
    let mut config = of_store(&publication);
    config.entrance.tls = tls(&authority.server(), Some((&authority, Presence::Optional)));
    config.entrance.admit = Admit::Certificate;
    let gateway = Running::hosting(config, Arc::new(Echo));
    let ca = authority.certificate();
    let mut nobody = Client::connect_tls(gateway.address, &ca, None).await;
    assert_eq!(nobody.get("/v1/control/rollouts", RIGHT).await.status, 403);
    let own = authority.client("operator-1");
    let mut operator = Client::connect_tls(gateway.address, &ca, Some(&own)).await;
    assert_eq!(operator.get("/v1/control/rollouts", RIGHT).await.status, 200);
    assert_eq!(operator.get("/v1/control/rollouts", WRONG).await.status, 401);
}
