//! What can be asked, and what cannot.

use crate::publication::{ENDLESS, Publication, pointer_path};
use crate::running::{Running, of_store};

#[tokio::test]
async fn only_the_documented_paths_exist() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut client = gateway.client().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/apps",
        "/v1/apps/edge-proxy/regions/eu-west/",
        "/v1/apps/edge-proxy/regions/eu-west/pointer/",
        "//v1/apps/edge-proxy/regions/eu-west/pointer",
        "/v1/apps/../apps/edge-proxy/regions/eu-west/pointer",
        "/v1/apps/edge%2Dproxy/regions/eu-west/pointer",
        "/v1/apps/edge-proxy/regions/eu-west/pointer.aside",
        "/v1/trust/../../root",
        "/v1/trust/1.root",
        "/v1/apps/edge-proxy/bundles/..%2f..%2fpointer.manifest",
        "/etc/passwd",
        "/v1/ack",
    ] {
        let reply = client.get(path, &[]).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(reply.json()["error"].is_string() && reply.json()["hint"].is_string(), "{path}");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_to_use() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    for (method, path, allow) in [
        ("PUT", "/v1/apps/edge-proxy/regions/eu-west/pointer", "GET, HEAD"),
        ("DELETE", "/v1/trust/0000000001.root", "GET, HEAD"),
        ("POST", "/v1/status", "GET, HEAD"),
        ("GET", "/v1/acks", "POST"),
        ("GET", "/v1/summaries", "POST"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
    ] {
        let mut client = gateway.client().await;
        client.send(method, path, &[]).await;
        let reply = client.reply_to(method).await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {path}");
        assert!(reply.json()["hint"].is_string(), "{method} {path}");
    }
}

#[tokio::test]
async fn alive_is_not_ready() {
    let publication = Publication::new();
    let first = publication.publish("edge-proxy", "eu-west", 1).await;
    publication.overwrite(&pointer_path("edge-proxy", "eu-west"), ENDLESS);
    let gateway = Running::start(of_store(&publication));
    gateway.until("a problem", |status| status.source.problem.is_some()).await;
    assert_eq!(gateway.get("/healthz", &[]).await.status, 200);
    let unready = gateway.get("/readyz", &[]).await;
    assert_eq!((unready.status, unready.header("retry-after")), (503, Some("1")));
    // What is not known yet is not absent.
    let pointer = gateway.get("/v1/apps/edge-proxy/regions/eu-west/pointer", &[]).await;
    assert_eq!((pointer.status, pointer.header("retry-after")), (503, Some("1")));
    publication.overwrite(&pointer_path("edge-proxy", "eu-west"), first.bytes());
    gateway.until_ready().await;
}

#[tokio::test]
async fn metrics_tell_of_every_pointer() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 7).await;
    let gateway = Running::of(&publication).await;
    let reply = gateway.get("/metrics", &[]).await;
    assert!(reply.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
    let text = String::from_utf8(reply.body.to_vec()).expect("text");
    for line in [
        "driftless_gateway_generation{app=\"edge-proxy\",region=\"eu-west\"} 7",
        "driftless_gateway_connections 1",
        "driftless_gateway_parked 0",
        "driftless_gateway_requests_total{class=\"health\",status=\"200\"} 1",
        "driftless_gateway_source_errors_total 0",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in:\n{text}");
    }
}
