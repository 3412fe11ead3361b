//! The pointer: at once, held, and never backwards.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::client::{Client, Reply};
use crate::publication::{Publication, pointer_path};
use crate::running::Running;

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

async fn ask_held(client: &mut Client, target: &str, etag: &str, wait: &str) {
    client.send("GET", target, &[("If-None-Match", etag), ("Prefer", wait)]).await;
}

#[tokio::test]
async fn a_pointer_is_served_as_it_was_signed() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut client = gateway.client().await;
    let plain = client.get(POINTER, &[]).await;
    assert_eq!((plain.status, &plain.body[..]), (200, &pointer.bytes()[..]));
    assert_eq!(plain.header("cache-control"), Some("public, max-age=1, no-transform"));
    assert_eq!(plain.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(plain.header("preference-applied"), None);
    assert_eq!(plain.etag().len(), 34);

    let same = client.get(POINTER, &[("If-None-Match", plain.etag())]).await;
    assert_eq!((same.status, same.etag()), (304, plain.etag()));
    let other = client.get(POINTER, &[("If-None-Match", "\"another\"")]).await;
    assert_eq!(other.status, 200);
    let past_caches = client.get(&format!("{POINTER}?fresh=1"), &[]).await;
    assert_eq!(past_caches.body, plain.body);

    client.send("HEAD", POINTER, &[]).await;
    let head = client.reply_to("HEAD").await;
    let length = pointer.bytes().len().to_string();
    assert_eq!((head.status, head.etag(), head.header("content-length")), (200, plain.etag(), Some(length.as_str())));
    assert_eq!(client.get(POINTER, &[]).await.status, 200);
}

#[tokio::test]
async fn who_has_no_pointer_yet_is_never_held() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut client = gateway.client().await;
    let first = client.get(POINTER, &[("Prefer", "wait=100")]).await;
    assert_eq!((first.status, first.header("preference-applied")), (200, Some("wait=100")));
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let unknown = client
        .get("/v1/apps/edge-proxy/regions/us-east/pointer", &[("If-None-Match", "\"x\""), ("Prefer", "wait=100")])
        .await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.json()["error"].as_str().is_some_and(|error| error.contains("us-east")), "{unknown:?}");
}

#[tokio::test]
async fn a_held_poll_is_answered_with_the_change() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut client = gateway.client().await;
    let etag = client.get(POINTER, &[]).await.etag().to_owned();
    ask_held(&mut client, POINTER, &etag, "wait=100").await;
    gateway.until_parked(1).await;
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    let reply = client.reply_to("GET").await;
    assert_eq!((reply.status, &reply.body[..]), (200, &second.bytes()[..]));
    assert_eq!(reply.header("preference-applied"), Some("wait=100"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    gateway.until_parked(0).await;
}

#[tokio::test]
async fn a_held_poll_ends_when_its_wait_is_over() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut client = gateway.client().await;
    let etag = client.get(POINTER, &[]).await.etag().to_owned();
    for wait in ["wait=1", "respond-async, wait=\"1\"", "wait=0"] {
        ask_held(&mut client, POINTER, &etag, wait).await;
        let reply = client.reply_to("GET").await;
        assert_eq!((reply.status, reply.etag()), (304, etag.as_str()));
        assert!(reply.header("preference-applied").is_some_and(|applied| wait.contains(&applied[5..])), "{reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn the_longest_wait_is_the_gateways_to_say() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let mut config = crate::running::of_store(&publication);
    config.limits.wait_max.0 = Duration::from_secs(1);
    let gateway = Running::start(config);
    gateway.until_ready().await;
    let mut client = gateway.client().await;
    let etag = client.get(POINTER, &[]).await.etag().to_owned();
    ask_held(&mut client, POINTER, &etag, "wait=3600").await;
    let reply = client.reply_to("GET").await;
    assert_eq!((reply.status, reply.header("preference-applied")), (304, Some("wait=1")));
}

#[tokio::test]
async fn f30_a_change_between_two_polls_is_not_missed() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut client = gateway.client().await;
    let etag = client.get(POINTER, &[]).await.etag().to_owned();
    publication.publish("edge-proxy", "eu-west", 2).await;
    gateway.until_generation("edge-proxy", 2).await;
    // The change happened while nobody was parked; the question is what is there, not what happened.
    ask_held(&mut client, POINTER, &etag, "wait=100").await;
    assert_eq!(client.reply_to("GET").await.status, 200);
}

#[tokio::test]
async fn one_app_does_not_wake_another() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    publication.publish("feature-flags", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let flags = "/v1/apps/feature-flags/regions/eu-west/pointer";
    let (mut proxy_client, mut flags_client) = (gateway.client().await, gateway.client().await);
    let proxy_etag = proxy_client.get(POINTER, &[]).await.etag().to_owned();
    let flags_etag = flags_client.get(flags, &[]).await.etag().to_owned();
    ask_held(&mut proxy_client, POINTER, &proxy_etag, "wait=100").await;
    ask_held(&mut flags_client, flags, &flags_etag, "wait=100").await;
    gateway.until_parked(2).await;
    publication.publish("edge-proxy", "eu-west", 2).await;
    assert_eq!(proxy_client.reply_to("GET").await.status, 200);
    gateway.until_parked(1).await;
    publication.publish("feature-flags", "eu-west", 2).await;
    assert_eq!(flags_client.reply_to("GET").await.status, 200);
}

#[tokio::test]
async fn f29_everyone_who_waits_is_answered_once() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let etag = gateway.get(POINTER, &[]).await.etag().to_owned();
    let mut waiting = JoinSet::new();
    for _ in 0..WAITERS {
        let (address, etag) = (gateway.address, etag.clone());
        waiting.spawn(async move {
            let mut client = Client::connect(address).await;
            ask_held(&mut client, POINTER, &etag, "wait=100").await;
            let first: Reply = client.reply_to("GET").await;
            // Asked with what it has now, it is held again: there is no second answer in the pipe.
            ask_held(&mut client, POINTER, first.etag(), "wait=1").await;
            (first, client.reply_to("GET").await.status)
        });
    }
    gateway.until_parked(WAITERS).await;
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    while let Some(answered) = waiting.join_next().await {
        let (first, then) = answered.expect("a client");
        assert_eq!((first.status, &first.body[..], then), (200, &second.bytes()[..], 304));
    }
    let metrics = String::from_utf8(gateway.get("/metrics", &[]).await.body.to_vec()).expect("text");
    assert!(metrics.contains(&format!("driftless_gateway_notifications_total {WAITERS}\n")), "{metrics}");
}

#[tokio::test]
async fn a_client_that_hangs_up_is_not_held_on() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut client = gateway.client().await;
    let etag = client.get(POINTER, &[]).await.etag().to_owned();
    ask_held(&mut client, POINTER, &etag, "wait=100").await;
    gateway.until_parked(1).await;
    drop(client);
    gateway.until_parked(0).await;
}

#[tokio::test]
async fn a03_an_older_pointer_is_refused_and_the_newer_one_kept() {
    let publication = Publication::new();
    let first = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    gateway.until_generation("edge-proxy", 2).await;
    publication.overwrite(&pointer_path("edge-proxy", "eu-west"), first.bytes());
    let status = gateway.until("a problem", |status| status.source.problem.is_some()).await;
    assert!(status.source.problem.is_some_and(|problem| problem.contains("rollback")));
    assert_eq!(gateway.get(POINTER, &[]).await.body, *second.bytes());
    // Put right, it is forgotten.
    publication.overwrite(&pointer_path("edge-proxy", "eu-west"), second.bytes());
    gateway.until("no problem", |status| status.source.problem.is_none()).await;
}

#[tokio::test]
async fn a11_an_unverifiable_pointer_is_refused() {
    let publication = Publication::new();
    let first = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let stranger = Publication::new().publish("edge-proxy", "eu-west", 2).await;
    let other_region = publication.publish("edge-proxy", "us-east", 5).await;
    for bytes in [&b"<html>not found</html>"[..], b"", stranger.bytes(), other_region.bytes()] {
        publication.overwrite(&pointer_path("edge-proxy", "eu-west"), bytes);
        gateway.until("a problem", |status| status.source.problem.is_some()).await;
        assert_eq!(gateway.get(POINTER, &[]).await.body, *first.bytes());
        publication.overwrite(&pointer_path("edge-proxy", "eu-west"), first.bytes());
        gateway.until("no problem", |status| status.source.problem.is_none()).await;
    }
    let metrics = String::from_utf8(gateway.get("/metrics", &[]).await.body.to_vec()).expect("text");
    assert!(!metrics.contains("source_errors_total 0\n"), "{metrics}");
}

const WAITERS: u64 = 500;
