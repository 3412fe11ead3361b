//! What agents say, sent upwards as they signed it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use schema::ack::Relay;
use schema::{Ack, AckBatch, AgentReport, Limits, Outcome, Pointer, Verified};
use serde_json::{Value, json};

use crate::agent::{Agent, in_a_while};
use crate::client::Reply;
use crate::proxy::Proxy;
use crate::publication::{Publication, name};
use crate::running::{Running, behind, of_store, until};

const RELAY: &str = "/v1/acks/relay";

/// The bodies of several agents as a gateway below sends them along.
fn relayed<'a>(bodies: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    let mut relay = Relay::default();
    for body in bodies {
        let batch = AckBatch::open(&Bytes::from(body.clone()), &Limits::DEFAULT).expect("an honest body");
        assert!(relay.add(&batch.key, batch.acks.iter().map(|ack| ack.bytes())));
    }
    relay.into_body().to_vec()
}

/// What became of relayed acks.
fn counts(reply: &Reply) -> Value {
    assert_eq!(reply.status, 202, "{reply:?}");
    let mut counts = reply.json();
    counts.as_object_mut().expect("an object").remove("boot").expect("a run");
    counts
}

async fn relay(gateway: &Running, bodies: &[&Vec<u8>]) -> Value {
    counts(&gateway.post(RELAY, &relayed(bodies.iter().copied())).await)
}

fn outcomes(reports: &BTreeMap<String, AgentReport>) -> Vec<(&str, Outcome)> {
    reports.iter().map(|(agent, report)| (agent.as_str(), report.outcome)).collect()
}

/// A gateway that lists these agents with their keys.
async fn listing(publication: &Publication, folder: &tempfile::TempDir, agents: &[&Agent]) -> Running {
    let lines = agents.iter().map(|agent| format!("  {}: {{ key: {} }}\n", agent.name, agent.key.public()));
    let registry = folder.path().join("agents.yaml");
    std::fs::write(&registry, format!("agents:\n{}", lines.collect::<String>())).expect("a registry");
    let mut config = of_store(publication);
    config.entrance.agents = Some(registry);
    let gateway = Running::start(config);
    gateway.until_ready().await;
    gateway
}

#[tokio::test]
async fn the_words_of_agents_reach_the_top_and_count_once() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let mut config = behind(top.address, &publication);
    config.name = name("middle");
    let middle = Running::start(config);
    let mut config = behind(middle.address, &publication);
    config.name = name("bottom");
    let bottom = Running::start(config);
    let (mut one, mut two) = (Agent::new("web-1"), Agent::new("web-2"));
    let labels = BTreeMap::from([(name("rack"), name("a1"))]);
    let labelled = Ack { labels: labels.clone(), ..one.ack(&pointer, Outcome::Applied) };
    assert_eq!(bottom.post("/v1/acks", &one.again(&labelled)).await.status, 202);
    assert_eq!(middle.post("/v1/acks", &two.says(&pointer, Outcome::Failed)).await.status, 202);
    top.until_reports("both agents", |reports| reports.len() == 2).await;
    assert_eq!(outcomes(&top.reports()), [("web-1", Outcome::Applied), ("web-2", Outcome::Failed)]);
    assert_eq!(top.reports()["web-1"].labels, labels);

    // Both gateways tell of themselves, and nobody is counted by their account.
    let status = top.until("the middle", |status| status.below.iter().any(|below| below.relays == 2)).await;
    assert_eq!((status.below.len(), status.below[0].gateway.as_str(), status.below[0].counts), (1, "middle", 0));
    let counted = &status.regions[0].agents;
    assert_eq!((counted.known, counted.generations[0].applied, counted.generations[0].failed), (2, 1, 1));

    // That an agent is still there is seen at the top as well.
    let heard = top.reports()["web-1"].heard;
    assert_eq!(bottom.post("/v1/acks", &one.again(&labelled)).await.status, 202);
    until("a heartbeat", async || top.reports()["web-1"].heard > heard).await;
    assert_eq!(outcomes(&top.reports()), [("web-1", Outcome::Applied), ("web-2", Outcome::Failed)]);
}

#[tokio::test]
async fn a45_a_gateway_below_can_withhold_words_and_nothing_else() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let (mut one, mut two) = (Agent::new("web-1"), Agent::new("web-2"));
    let folder = tempfile::tempdir().expect("a folder");
    let top = listing(&publication, &folder, &[&one, &two]).await;
    let (old, new) = (one.says(&pointer, Outcome::Failed), one.applied(&pointer));
    let other = two.says(&pointer, Outcome::Failed);
    let expected = json!({ "accepted": 2, "ignored": 0, "refused": 0, "later": [] });
    assert_eq!(relay(&top, &[&new, &other]).await, expected);
    let before = top.reports();
    assert_eq!(outcomes(&before), [("web-1", Outcome::Applied), ("web-2", Outcome::Failed)]);

    // It replays what was said before, and what is known.
    for replayed in [&old, &new] {
        assert_eq!(relay(&top, &[replayed]).await["accepted"], 0);
    }
    // It invents an agent; and a word of one that is there, by a key of its own.
    let invented = Agent::new("web-3").applied(&pointer);
    let forged = Agent::new("web-2").applied(&pointer);
    let expected = json!({ "accepted": 0, "ignored": 0, "refused": 2, "later": [] });
    assert_eq!(relay(&top, &[&invented, &forged]).await, expected);
    // It changes a word, while another in the same body is as it was said.
    let mended = two.applied(&pointer);
    let fresh = one.says(&pointer, Outcome::Failed);
    let body = String::from_utf8(relayed([&fresh, &mended])).expect("text");
    let reply = top.post(RELAY, body.replacen("\"failed\"", "\"applied\"", 1).as_bytes()).await;
    assert_eq!(counts(&reply), json!({ "accepted": 1, "ignored": 0, "refused": 1, "later": [] }));
    let after = top.reports();
    assert_eq!(outcomes(&after), [("web-1", Outcome::Applied), ("web-2", Outcome::Applied)]);
    assert_eq!(
        after["web-1"], before["web-1"],
        "what was replayed or changed moved nothing, not even when it was heard"
    );
}

#[tokio::test]
async fn a46_one_identity_counts_once_whichever_way_it_came() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let [left, right] = ["left", "right"].map(|called| {
        let mut config = behind(top.address, &publication);
        config.name = name(called);
        Running::start(config)
    });
    let mut agent = Agent::new("web-1");
    let (first, second) = (agent.says(&pointer, Outcome::Failed), agent.applied(&pointer));
    // The newer word comes first, by the other way.
    assert_eq!(right.post("/v1/acks", &second).await.status, 202);
    top.until_reports("the newer word", |reports| reports.len() == 1).await;
    assert_eq!(left.post("/v1/acks", &first).await.status, 202);
    let told = |status: &schema::status::Status| status.below.iter().filter(|below| below.relays == 1).count();
    let status = top.until("both gateways", |status| told(status) == 2).await;
    assert_eq!((status.regions[0].agents.known, status.regions[0].agents.generations[0].applied), (1, 1));
    assert_eq!(outcomes(&top.reports()), [("web-1", Outcome::Applied)]);
    // And from the agent itself.
    assert_eq!(top.post("/v1/acks", &agent.says(&pointer, Outcome::Failed)).await.status, 202);
    assert_eq!(outcomes(&top.reports()), [("web-1", Outcome::Failed)]);
    assert_eq!(top.post(RELAY, &relayed([&second])).await.json()["accepted"], 0);
    assert_eq!(outcomes(&top.reports()), [("web-1", Outcome::Failed)]);
}

#[tokio::test]
async fn an_upstream_that_started_anew_is_told_everything_again() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let bottom = Running::start(behind(top.address, &publication));
    for number in 1..=20 {
        let said = Agent::new(&format!("web-{number}")).applied(&pointer);
        assert_eq!(bottom.post("/v1/acks", &said).await.status, 202);
    }
    top.until_reports("all agents", |reports| reports.len() == 20).await;
    let mut config = of_store(&publication);
    config.listen = top.address;
    top.stop().await;
    let top = Running::start(config);
    assert!(top.reports().is_empty());
    top.until_reports("all agents again, though none said anything", |reports| reports.len() == 20).await;
}

#[tokio::test]
async fn what_is_not_known_yet_comes_again_and_what_is_refused_does_not() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let second = publication.pointer("edge-proxy", "eu-west", 2, pointer.stable);
    let (mut early, mut elsewhere, mut fine) = (Agent::new("web-1"), Agent::new("web-2"), Agent::new("web-3"));
    let nowhere = Ack { region: name("us-east"), ..elsewhere.ack(&pointer, Outcome::Applied) };
    let bodies = [early.applied(&second), elsewhere.again(&nowhere), fine.applied(&pointer)];
    let expected = json!({ "accepted": 1, "ignored": 1, "refused": 0, "later": [0] });
    assert_eq!(relay(&top, &bodies.each_ref()).await, expected);
    publication.point(&second).await;
    top.until_generation("edge-proxy", 2).await;
    assert_eq!(relay(&top, &[&bodies[0]]).await["accepted"], 1);
    for (body, status) in [(b"".to_vec(), 202), (b"{}\n".to_vec(), 400), (vec![b' '; 3 << 20], 413)] {
        assert_eq!(top.post(RELAY, &body).await.status, status);
    }
}

#[tokio::test]
async fn an_upstream_that_has_no_time_gets_it_all_when_it_has() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let between = Proxy::start(top.address, None).await;
    let bottom = Running::start(behind(between.address, &publication));
    // Nothing that is posted gets through: no word is lost meanwhile, and the newest is the one that counts.
    let mut agents: Vec<Agent> = (1..=5).map(|number| Agent::new(&format!("web-{number}"))).collect();
    for agent in &mut agents {
        assert_eq!(bottom.post("/v1/acks", &agent.says(&pointer, Outcome::Failed)).await.status, 202);
    }
    let tried = || between.heads().iter().filter(|head| head.starts_with("POST /v1/acks/relay")).count();
    until("a try in vain", async || tried() > 0).await;
    assert_eq!(bottom.post("/v1/acks", &agents[0].applied(&pointer)).await.status, 202);
    assert!(top.reports().is_empty());
    bottom.until("a problem", |status| status.source.problem.is_some()).await;
    between.posts(|_| None);
    top.until_reports("all agents", |reports| reports.len() == 5).await;
    assert_eq!(top.reports()["web-1"].outcome, Outcome::Applied);
    bottom.until("no more problem", |status| status.source.problem.is_none()).await;
}

#[tokio::test]
async fn what_an_upstream_puts_off_is_sent_again() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let between = Proxy::start(top.address, None).await;
    let (mut answered, told) = (0, Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&told);
    between.posts(|_| None);
    between.lies(move |target, reply| {
        if target != RELAY {
            return reply;
        }
        answered += 1;
        let mut answer = reply.json();
        noted.lock().expect("no panic").push(answer["accepted"].clone());
        // It took the first body, and says that it did not; numbers that are no part's mean nothing.
        answer["later"] = if answered == 1 { json!([0, 7, 99_999]) } else { json!([7]) };
        Reply { body: answer.to_string().into(), ..reply }
    });
    let bottom = Running::start(behind(between.address, &publication));
    assert_eq!(bottom.post("/v1/acks", &Agent::new("web-1").applied(&pointer)).await.status, 202);
    until("a second body", async || told.lock().expect("no panic").len() >= 2).await;
    assert_eq!(told.lock().expect("no panic")[..2], [json!(1), json!(0)]);
    let second = between.heads().into_iter().filter(|head| head.starts_with("POST /v1/acks/relay")).nth(1);
    assert!(second.is_some_and(|head| head.contains("content-length: ")), "the same words once more");
}

#[tokio::test]
async fn an_older_upstream_is_told_numbers_instead() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let between = Proxy::start(top.address, None).await;
    between.posts(|target| (target == RELAY).then_some(404));
    let mut config = behind(between.address, &publication);
    config.name = name("bottom");
    let bottom = Running::start(config);
    assert_eq!(bottom.post("/v1/acks", &Agent::new("web-1").applied(&pointer)).await.status, 202);
    let numbers = |status: &schema::status::Status| status.below.iter().map(|below| (below.relays, below.counts)).max();
    top.until("numbers", |status| numbers(status) == Some((0, 1)) && status.regions[0].agents.known == 1).await;
    assert!(top.reports().is_empty());
}

#[tokio::test]
async fn what_stays_the_same_is_sent_along_now_and_then_only() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let top = Running::of(&publication).await;
    let between = Proxy::start(top.address, None).await;
    between.posts(|_| None);
    let bottom = Running::start(behind(between.address, &publication));
    let mut agent = Agent::new("web-1");
    let said = agent.ack(&pointer, Outcome::Applied);
    assert_eq!(bottom.post("/v1/acks", &agent.again(&said)).await.status, 202);
    top.until_reports("the agent", |reports| reports.len() == 1).await;
    for _ in 0..30 {
        assert_eq!(bottom.post("/v1/acks", &agent.again(&said)).await.status, 202);
    }
    let heard = top.reports()["web-1"].heard;
    until("a heartbeat", async || top.reports()["web-1"].heard > heard).await;
    // Of thirty words one went up: the last.
    let body = |head: &String| {
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        length.filter(|length: &usize| head.starts_with("POST /v1/acks/relay") && *length > 0)
    };
    let bytes: usize = between.heads().iter().filter_map(body).sum();
    let one = relayed([&agent.again(&said)]).len();
    assert!(bytes < 4 * one, "{bytes} bytes for words of {one}");
}

#[tokio::test]
async fn a45_only_gateways_send_words_along() {
    let publication = Publication::new();
    let pointer: Verified<Pointer> = publication.publish("edge-proxy", "eu-west", 1).await;
    let folder = tempfile::tempdir().expect("a folder");
    let registry = folder.path().join("agents.yaml");
    let hash = |token: &str| schema::Digest::of(token.as_bytes());
    let text = format!(
        "agents:\n  web-1: {{ token_sha256: {} }}\n  web-2: {{}}\ngateways: {{ below: {{ token_sha256: {} }} }}\n\
         readers: {{ prometheus: {{ token_sha256: {} }} }}\n",
        hash("agent"),
        hash("gateway"),
        hash("reader"),
    );
    std::fs::write(&registry, text).expect("a registry");
    let mut config = of_store(&publication);
    config.entrance.admit = gateway::Admit::Token;
    config.entrance.agents = Some(registry);
    let top = Running::start(config);
    let post = async |target: &str, token: &str, body: &[u8]| {
        let mut client = top.client().await;
        client.send_with_body("POST", target, &[("Authorization", &format!("Bearer {token}"))], body).await;
        client.reply_to("POST").await
    };
    let (mut one, mut two) = (Agent::new("web-1"), Agent::new("web-2"));
    let body = relayed([&one.says(&pointer, Outcome::Failed), &two.applied(&pointer)]);
    until("ready", async || post(RELAY, "gateway", b"").await.status == 202).await;
    until("the pointer", async || post(RELAY, "gateway", &body).await.json()["accepted"] != 0).await;
    for (token, status) in [("agent", 403), ("reader", 403), ("nobody", 401), ("gateway", 202)] {
        assert_eq!(post(RELAY, token, &body).await.status, status, "{token}");
    }
    // A gateway vouches for no key: what it said in the name of an agent that comes by itself with another key is gone.
    let mut real = Agent::new("web-1");
    assert_eq!(post("/v1/acks", "agent", &real.applied(&pointer)).await.status, 202);
    assert_eq!(outcomes(&top.reports()), [("web-1", Outcome::Applied), ("web-2", Outcome::Applied)]);
    let later = Ack { at: in_a_while(60_000), ..one.ack(&pointer, Outcome::Failed) };
    let reply = post(RELAY, "gateway", &relayed([&one.again(&later)])).await;
    assert_eq!(counts(&reply), json!({ "accepted": 0, "ignored": 0, "refused": 1, "later": [] }));
    assert_eq!(top.reports()["web-1"].outcome, Outcome::Applied);
}
