//! Gateways behind gateways.

use gateway::Followed;
use schema::StorePath;

use crate::agent::Agent;
use crate::publication::{Publication, name};
use crate::running::{Running, behind, of_store, until};

const POINTER: &str = "/v1/apps/edge-proxy/regions/eu-west/pointer";

/// A gateway to which every file is large.
async fn as_it_is(publication: &Publication) -> Running {
    let mut config = of_store(publication);
    config.limits.blob_cache_bytes = 0;
    let running = Running::start(config);
    running.until_ready().await;
    running
}

#[tokio::test]
async fn a_pointer_and_its_bundle_come_down_two_levels() {
    let publication = Publication::new();
    let first = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let middle = Running::start(behind(top.address, &publication));
    let bottom = Running::start(behind(middle.address, &publication));
    bottom.until_ready().await;
    // Nobody was told to follow this pointer: it is followed because it is asked for.
    let reply = bottom.get(POINTER, &[]).await;
    assert_eq!((reply.status, &reply.body[..]), (200, &first.bytes()[..]));

    let mut client = bottom.client().await;
    client.send("GET", POINTER, &[("If-None-Match", reply.etag()), ("Prefer", "wait=100")]).await;
    bottom.until_parked(1).await;
    let second = publication.publish("edge-proxy", "eu-west", 2).await;
    assert_eq!(client.reply_to("GET").await.body, *second.bytes());

    let bundle = StorePath::Bundle { app: name("edge-proxy"), digest: second.stable.digest };
    let file = std::fs::read(publication.file(&bundle)).expect("a bundle");
    let whole = client.get(&format!("/{bundle}"), &[]).await;
    assert_eq!((whole.status, &whole.body[..]), (200, &file[..]));
    let part = client.get(&format!("/{bundle}"), &[("Range", "bytes=2-5"), ("If-Range", whole.etag())]).await;
    assert_eq!((part.status, &part.body[..]), (206, &file[2..6]));
}

#[tokio::test]
async fn what_was_fetched_and_verified_outlives_the_upstream() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let mut config = behind(top.address, &publication);
    config.follow = vec![Followed { app: name("edge-proxy"), region: name("eu-west") }];
    let bottom = Running::start(config);
    bottom.until_generation("edge-proxy", 1).await;
    let bundle = format!("/{}", StorePath::Bundle { app: name("edge-proxy"), digest: pointer.stable.digest });
    let before = bottom.get(&bundle, &[]).await;
    assert_eq!(before.status, 200);
    top.stop().await;
    bottom.until("a problem", |status| status.source.problem.is_some()).await;
    assert_eq!(bottom.get(POINTER, &[]).await.body, *pointer.bytes());
    assert_eq!(bottom.get(&bundle, &[]).await.body, before.body);
}

#[tokio::test]
async fn a_name_that_upstream_does_not_know_is_not_followed() {
    let publication = Publication::new();
    let top = Running::of(&publication).await;
    let bottom = Running::start(behind(top.address, &publication));
    bottom.until_ready().await;
    assert_eq!(bottom.get(POINTER, &[]).await.status, 404);
    publication.publish("edge-proxy", "eu-west", 1).await;
    top.until_generation("edge-proxy", 1).await;
    assert_eq!(bottom.get(POINTER, &[]).await.status, 200);
    assert_eq!(bottom.status().await.source.problem, None);
}

#[tokio::test]
async fn a11_a_tampered_bundle_is_refused_and_not_kept() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let (top, careful) = (as_it_is(&publication).await, Running::of(&publication).await);
    let bottom = Running::start(behind(top.address, &publication));
    bottom.until_ready().await;
    let path = StorePath::Bundle { app: name("edge-proxy"), digest: pointer.stable.digest };
    let good = std::fs::read(publication.file(&path)).expect("a bundle");
    let target = format!("/{path}");
    let mut flipped = good.clone();
    flipped[10] ^= 1;
    for tampered in [flipped, good[..good.len() - 1].to_vec(), [&good[..], b"x"].concat()] {
        publication.overwrite(&path, &tampered);
        // A large file is served as it is, without being read: agents verify.
        assert_eq!(top.get(&target, &[]).await.body, tampered);
        for gateway in [&bottom, &careful] {
            let refused = gateway.get(&target, &[]).await;
            assert_eq!(refused.status, 502, "{refused:?}");
            assert_eq!(refused.header("cache-control"), Some("no-store"));
        }
    }
    publication.overwrite(&path, &good);
    assert_eq!(bottom.get(&target, &[]).await.body, good);
    assert_eq!(careful.get(&target, &[]).await.body, good);
}

#[tokio::test]
async fn a_manifest_of_a_retired_key_is_relayed_as_it_was_sealed_again() {
    let mut publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let (app, digest) = (name("edge-proxy"), pointer.stable.digest);
    publication.rotate_release_key().await;
    let top = Running::of(&publication).await;
    let bottom = Running::start(behind(top.address, &publication));
    bottom.until_ready().await;
    let manifest = format!("/{}", StorePath::Manifest { app: name("edge-proxy"), digest });
    let bundle = format!("/{}", StorePath::Bundle { app: name("edge-proxy"), digest });
    // Nobody vouches for it under the new root.
    for gateway in [&top, &bottom] {
        let root = format!("/{}", StorePath::Root { version: 2 });
        until("the second root", async || gateway.get(&root, &[]).await.status == 200).await;
        assert_eq!(gateway.get(&manifest, &[]).await.status, 502);
    }
    assert_eq!(bottom.get(&bundle, &[]).await.status, 502);
    let resealed = publication.reseal(&app, digest).await;
    for gateway in [&top, &bottom] {
        assert_eq!(gateway.get(&manifest, &[]).await.body, resealed);
    }
    assert_eq!(bottom.get(&bundle, &[]).await.status, 200);
}

#[tokio::test]
async fn a_bundle_that_no_manifest_names_is_not_fetched() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let (top, careful) = (as_it_is(&publication).await, Running::of(&publication).await);
    let bottom = Running::start(behind(top.address, &publication));
    bottom.until_ready().await;
    let (digest, base) = (pointer.stable.digest, schema::Digest::of(b"not a base"));
    let patch = StorePath::Patch { app: name("edge-proxy"), digest, base };
    publication.overwrite_new(&patch, b"anything");
    assert_eq!(top.get(&format!("/{patch}"), &[]).await.status, 200);
    assert_eq!(bottom.get(&format!("/{patch}"), &[]).await.status, 404);
    assert_eq!(careful.get(&format!("/{patch}"), &[]).await.status, 404);
}

#[tokio::test]
async fn what_agents_say_reaches_the_top() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let mut config = behind(top.address, &publication);
    config.name = name("middle");
    let middle = Running::start(config);
    let mut config = behind(middle.address, &publication);
    config.name = name("bottom");
    let bottom = Running::start(config);
    for (gateway, agent) in [(&top, "web-1"), (&middle, "web-2"), (&bottom, "web-3")] {
        // The gateway may never have heard of the pointer that the ack is about.
        let said = Agent::new(agent).applied(&pointer);
        assert_eq!(gateway.post("/v1/acks", &said).await.json()["accepted"], 1);
    }
    let applied = |status: &schema::status::Status| status.regions[0].agents.applied(pointer.epoch, pointer.generation);
    top.until("three agents", |status| applied(status) == 3).await;
    assert_eq!(applied(&middle.status().await), 2);
}

#[tokio::test]
async fn a_gateway_does_not_report_to_itself() {
    let publication = Publication::new();
    let gateway = Running::of(&publication).await;
    let own = br#"{"gateway":"gw","at":"2026-08-01T09:30:00.250Z","regions":[]}"#;
    assert_eq!(gateway.post("/v1/summaries", own).await.status, 409);
    let other = br#"{"gateway":"other","at":"2026-08-01T09:30:00.250Z","regions":[]}"#;
    assert_eq!(gateway.post("/v1/summaries", other).await.status, 202);
    assert_eq!(gateway.post("/v1/summaries", b"{}").await.status, 400);
}
