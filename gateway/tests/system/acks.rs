//! What agents say, and how much of it is heard.

use schema::ack::{Boot, SignedAck};
use schema::status::RegionSummary;
use schema::{Ack, AckBatch, Digest, Outcome};

use crate::agent::{Agent, in_a_while};
use crate::publication::{Publication, name};
use crate::running::{Running, of_store};

async fn summary(gateway: &Running) -> RegionSummary {
    gateway.status().await.regions.remove(0).agents
}

#[tokio::test]
async fn a15_acks_are_counted_once_however_often_they_come() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let (mut one, mut two) = (Agent::new("web-1"), Agent::new("web-2"));
    let (applied, failed) = (one.applied(&pointer), two.says(&pointer, Outcome::Failed));
    for body in [&applied, &failed] {
        let first = gateway.post("/v1/acks", body).await;
        assert_eq!((first.status, first.json()), (202, serde_json::json!({ "accepted": 1, "ignored": 0 })));
        let again = gateway.post("/v1/acks", body).await;
        assert_eq!((again.status, again.json()), (202, serde_json::json!({ "accepted": 0, "ignored": 1 })));
    }
    let counted = summary(&gateway).await;
    assert_eq!((counted.known, counted.applied(pointer.epoch, pointer.generation)), (2, 1));
    assert_eq!(counted.generations[0].failed, 1);
    assert_eq!(counted.generations[0].notified_ms.count, 2);
    assert_eq!(counted.worst[0].agent.as_str(), "web-2");

    // A newer word takes the place of the older, and the older cannot take it back.
    let mended = two.applied(&pointer);
    assert_eq!(gateway.post("/v1/acks", &mended).await.json()["accepted"], 1);
    assert_eq!(gateway.post("/v1/acks", &failed).await.json()["ignored"], 1);
    let counted = summary(&gateway).await;
    assert_eq!((counted.applied(pointer.epoch, pointer.generation), counted.worst.len()), (2, 0));
}

#[tokio::test]
async fn a15_a_replay_from_before_a_restart_is_older_than_what_came_after() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut agent = Agent::new("web-1");
    let before = agent.says(&pointer, Outcome::Failed);
    agent.restart();
    let after = Ack { at: in_a_while(5), ..agent.ack(&pointer, Outcome::Applied) };
    let after = agent.seal([after]);
    for body in [&after, &before, &after, &before] {
        assert_eq!(gateway.post("/v1/acks", body).await.status, 202);
    }
    assert_eq!(summary(&gateway).await.applied(pointer.epoch, pointer.generation), 1);
}

#[tokio::test]
async fn a15_a_forged_ack_counts_for_nobody() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut honest = Agent::new("web-1");
    assert_eq!(gateway.post("/v1/acks", &honest.applied(&pointer)).await.status, 202);

    // Signed by a key of its own, in another's name.
    let mut liar = Agent::new("web-1");
    let refused = gateway.post("/v1/acks", &liar.says(&pointer, Outcome::Failed)).await;
    assert_eq!(refused.status, 409);
    assert!(
        refused.json()["hint"].as_str().is_some_and(|hint| hint.contains("driftless-agent identity")),
        "{refused:?}"
    );
    // Under the other's key, which it does not have.
    let theirs = honest.applied(&pointer);
    let head = theirs.split_inclusive(|byte| *byte == b'\n').next().expect("a head");
    let own = liar.says(&pointer, Outcome::Failed);
    let rest: Vec<u8> = own.split_inclusive(|byte| *byte == b'\n').skip(1).flatten().copied().collect();
    assert_eq!(gateway.post("/v1/acks", &[head, &rest].concat()).await.status, 400);
    // What the other said, said anew about something else.
    let text = String::from_utf8(theirs).expect("text").replace("\"applied\"", "\"failed\"");
    assert_eq!(gateway.post("/v1/acks", text.as_bytes()).await.status, 400);
    // In two names at once.
    let stranger = Ack { agent: name("web-2"), ..liar.ack(&pointer, Outcome::Failed) };
    let own = liar.ack(&pointer, Outcome::Failed);
    assert_eq!(gateway.post("/v1/acks", &liar.seal([own, stranger])).await.status, 400);

    let counted = summary(&gateway).await;
    assert_eq!((counted.known, counted.applied(pointer.epoch, pointer.generation)), (1, 1));
}

#[tokio::test]
async fn a46_what_no_pointer_asked_for_does_not_count() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut agent = Agent::new("web-1");
    let honest = agent.ack(&pointer, Outcome::Applied);
    let elsewhere = Ack { region: name("us-east"), ..honest.clone() };
    let invented = Ack { attempted: Digest::of(b"invented"), ..honest };
    let reply = gateway.post("/v1/acks", &agent.seal([elsewhere, invented])).await;
    assert_eq!((reply.status, reply.json()), (202, serde_json::json!({ "accepted": 0, "ignored": 2 })));
    // Ahead of us may be an agent that has another mirror: it is to say so again when we have caught up.
    let second = publication.pointer("edge-proxy", "eu-west", 2, pointer.stable);
    let ahead = agent.applied(&second);
    let reply = gateway.post("/v1/acks", &ahead).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("2")));
    assert_eq!(summary(&gateway).await.known, 0);
    publication.point(&second).await;
    gateway.until_generation("edge-proxy", 2).await;
    assert_eq!(gateway.post("/v1/acks", &ahead).await.json()["accepted"], 1);
}

#[tokio::test]
async fn what_is_no_signed_batch_is_refused() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut agent = Agent::new("web-1");
    let many = vec![agent.ack(&pointer, Outcome::Applied); 257];
    let unsigned = serde_json::json!({ "type": "driftless/acks/1", "acks": [agent.ack(&pointer, Outcome::Applied)] });
    for (body, status) in [
        (b"{}".to_vec(), 400),
        (b"not json".to_vec(), 400),
        (unsigned.to_string().into_bytes(), 400),
        (agent.seal([]), 400),
        (agent.seal(many), 400),
        (vec![b' '; (1 << 20) + 1024], 413),
    ] {
        let reply = gateway.post("/v1/acks", &body).await;
        assert_eq!(reply.status, status, "{:?}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        assert!(reply.json()["error"].is_string() && reply.json()["hint"].is_string());
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
async fn a46_a_flood_is_cut_to_its_quota_and_nobody_elses() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut agent = Agent::new("web-1");
    let body = agent.applied(&pointer);
    let mut client = gateway.client().await;
    let refused = loop {
        let reply = client.post("/v1/acks", &body).await;
        if reply.status != 202 {
            break reply;
        }
    };
    assert_eq!(refused.status, 429);
    assert!(refused.header("retry-after").is_some());
    // In another's name nothing is used up: who does not have its key is refused before it is charged.
    let mut other = Agent::new("web-2");
    assert_eq!(client.post("/v1/acks", &other.applied(&pointer)).await.status, 202);
    let mut liar = Agent::new("web-2");
    for _ in 0..100 {
        assert_eq!(client.post("/v1/acks", &liar.applied(&pointer)).await.status, 409);
    }
    assert_eq!(client.post("/v1/acks", &other.applied(&pointer)).await.status, 202);
}

#[tokio::test]
async fn a46_an_address_without_a_name_has_a_quota_too() {
    let publication = Publication::new();
    publication.publish("edge-proxy", "eu-west", 1).await;
    let mut config = of_store(&publication);
    config.limits.connections_per_address = 8;
    let gateway = Running::start(config);
    gateway.until_ready().await;
    let (mut client, mut statuses) = (gateway.client().await, Vec::new());
    for _ in 0..100 {
        statuses.push(client.post("/v1/acks", b"rubbish").await.status);
    }
    assert_eq!((statuses[0], statuses[99]), (400, 429));
}

#[tokio::test]
async fn a46_there_is_a_most_of_agents() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let mut config = of_store(&publication);
    config.limits.ack_agents_max = 3;
    let gateway = Running::start(config);
    gateway.until_ready().await;
    let mut agents: Vec<Agent> = (1..=4).map(|number| Agent::new(&format!("web-{number}"))).collect();
    for agent in &mut agents[..3] {
        assert_eq!(gateway.post("/v1/acks", &agent.applied(&pointer)).await.status, 202);
    }
    let reply = gateway.post("/v1/acks", &agents[3].applied(&pointer)).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("60")));
    let later = agents[2].says(&pointer, Outcome::Failed);
    assert_eq!(gateway.post("/v1/acks", &later).await.status, 202);
    assert_eq!(summary(&gateway).await.known, 3);
}

#[tokio::test]
async fn a48_what_an_agent_says_cannot_move_a_cursor() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let mut agent = Agent::new("web-1");
    let reason = Some("\u{1b}[2Jall fine\r\n\u{202e}\u{0}".into());
    let hostile = Ack { reason, ..agent.ack(&pointer, Outcome::Failed) };
    assert_eq!(gateway.post("/v1/acks", &agent.seal([hostile])).await.status, 202);
    let status = gateway.get("/v1/status", &[]).await;
    assert_eq!(status.json()["regions"][0]["agents"]["worst"][0]["reason"], "[2Jall fine");
    // A gateway below could say it as well.
    let below = String::from_utf8(status.body.to_vec()).expect("text").replace("[2Jall", "\\u001b[2Jall");
    let below: serde_json::Value = serde_json::from_str(&below).expect("JSON");
    let below = serde_json::json!({ "gateway": "below", "at": below["now"], "regions": below["regions"] });
    assert_eq!(gateway.post("/v1/summaries", below.to_string().as_bytes()).await.status, 202);
    let status = gateway.get("/v1/status", &[]).await;
    let worst = status.json()["regions"][0]["agents"]["worst"].clone();
    assert_eq!(worst.as_array().map(Vec::len), Some(2));
    assert!(!worst.to_string().contains("u001b"), "{worst}");
    // Names have a grammar that no escape fits into.
    let mut liar = SignedAck { boot: Boot::new(1), n: 1, ack: agent.ack(&pointer, Outcome::Failed) };
    liar.ack.reason = None;
    let body = AckBatch::seal([liar], &agent.key);
    let body = String::from_utf8(body).expect("text").replace("web-1", "web\\u001b");
    let refused = gateway.post("/v1/acks", body.as_bytes()).await;
    assert_eq!(refused.status, 400);
    assert!(!refused.body.contains(&0x1b), "{refused:?}");
}
