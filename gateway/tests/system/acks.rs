//! What agents say, and how much of it is heard.

use schema::status::RegionSummary;
use schema::{Ack, AckBatch, Digest, Outcome, Pointer, Timestamp, Verified};

use crate::publication::{Publication, name, now};
use crate::running::{Running, of_store};

fn ack(agent: &str, pointer: &Verified<Pointer>, outcome: Outcome) -> Ack {
    Ack {
        agent: name(agent),
        app: pointer.app.clone(),
        region: pointer.region.clone(),
        epoch: pointer.epoch,
        generation: pointer.generation,
        attempted: pointer.stable.digest,
        outcome,
        active: None,
        previous: None,
        notified_at: now(),
        at: now(),
        bundle_bytes: 0,
        step: None,
        reason: (outcome != Outcome::Applied).then(|| "disk full".into()),
    }
}

fn batch(acks: Vec<Ack>) -> Vec<u8> {
    AckBatch::new(acks).to_json()
}

async fn summary(gateway: &Running) -> RegionSummary {
    gateway.status().await.regions.remove(0).agents
}

#[tokio::test]
async fn acks_are_counted_once_however_often_they_come() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let body = batch(vec![ack("web-1", &pointer, Outcome::Applied), ack("web-2", &pointer, Outcome::Failed)]);
    let first = gateway.post("/v1/acks", &body).await;
    assert_eq!((first.status, first.json()), (202, serde_json::json!({ "accepted": 2, "ignored": 0 })));
    let again = gateway.post("/v1/acks", &body).await;
    assert_eq!((again.status, again.json()), (202, serde_json::json!({ "accepted": 0, "ignored": 2 })));
    let counted = summary(&gateway).await;
    assert_eq!((counted.known, counted.applied(pointer.epoch, pointer.generation)), (2, 1));
    assert_eq!(counted.generations[0].failed, 1);
    assert_eq!(counted.generations[0].notified_ms.count, 2);
    assert_eq!(counted.worst[0].agent.as_str(), "web-2");

    // A newer word takes the place of the older.
    let mended = ack("web-2", &pointer, Outcome::Applied);
    assert_eq!(gateway.post("/v1/acks", &batch(vec![mended])).await.json()["accepted"], 1);
    let counted = summary(&gateway).await;
    assert_eq!((counted.applied(pointer.epoch, pointer.generation), counted.worst.len()), (2, 0));
}

#[tokio::test]
async fn a46_what_no_pointer_asked_for_does_not_count() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let honest = ack("web-1", &pointer, Outcome::Applied);
    let elsewhere = Ack { region: name("us-east"), ..honest.clone() };
    let invented = Ack { attempted: Digest::of(b"invented"), ..honest.clone() };
    let reply = gateway.post("/v1/acks", &batch(vec![elsewhere, invented])).await;
    assert_eq!((reply.status, reply.json()), (202, serde_json::json!({ "accepted": 0, "ignored": 2 })));
    // Ahead of us may be an agent that has another mirror: it is to say so again when we have caught up.
    let second = publication.pointer("edge-proxy", "eu-west", 2, pointer.stable);
    let ahead = batch(vec![ack("web-1", &second, Outcome::Applied)]);
    let reply = gateway.post("/v1/acks", &ahead).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("2")));
    assert_eq!(summary(&gateway).await.known, 0);
    publication.point(&second).await;
    gateway.until_generation("edge-proxy", 2).await;
    assert_eq!(gateway.post("/v1/acks", &ahead).await.json()["accepted"], 1);
}

#[tokio::test]
async fn what_is_no_batch_is_refused() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let many = batch(vec![ack("web-1", &pointer, Outcome::Applied); 257]);
    for (body, status) in [
        (b"{}".to_vec(), 400),
        (b"not json".to_vec(), 400),
        (br#"{"type":"driftless/acks/2","acks":[]}"#.to_vec(), 400),
        (many, 400),
        (vec![b' '; (1 << 20) + 1], 413),
    ] {
        let reply = gateway.post("/v1/acks", &body).await;
        assert_eq!(reply.status, status, "{:?}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        assert!(reply.json()["error"].is_string());
    }
    // Without a length it is read up to the limit, and no further.
    let mut client = gateway.client().await;
    client.send_raw(b"POST /v1/acks HTTP/1.1\r\nHost: gateway\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    for _ in 0..33 {
        client.send_raw(b"8000\r\n").await;
        client.send_raw(&[b' '; 0x8000]).await;
        client.send_raw(b"\r\n").await;
    }
    assert_eq!(client.reply_to("POST").await.status, 413);
    assert_eq!(summary(&gateway).await.known, 0);
}

#[tokio::test]
async fn a46_a_flood_is_cut_to_its_quota() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let body = batch(vec![ack("web-1", &pointer, Outcome::Applied)]);
    let mut client = gateway.client().await;
    let refused = loop {
        let reply = client.post("/v1/acks", &body).await;
        if reply.status != 202 {
            break reply;
        }
    };
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    let other = batch(vec![ack("web-2", &pointer, Outcome::Applied)]);
    assert_eq!(client.post("/v1/acks", &other).await.status, 202);
}

#[tokio::test]
async fn a46_there_is_a_most_of_agents() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let mut config = of_store(&publication);
    config.limits.ack_agents_max = 3;
    let gateway = Running::start(config);
    gateway.until_ready().await;
    for agent in ["web-1", "web-2", "web-3"] {
        let body = batch(vec![ack(agent, &pointer, Outcome::Applied)]);
        assert_eq!(gateway.post("/v1/acks", &body).await.status, 202);
    }
    let reply = gateway.post("/v1/acks", &batch(vec![ack("web-4", &pointer, Outcome::Applied)])).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("60")));
    let later =
        Ack { at: Timestamp::from_unix_millis(now().unix_millis() + 1), ..ack("web-3", &pointer, Outcome::Failed) };
    assert_eq!(gateway.post("/v1/acks", &batch(vec![later])).await.status, 202);
    assert_eq!(summary(&gateway).await.known, 3);
}
