//! The book of agents: what gates count.

use std::collections::BTreeMap;
use std::time::Duration;

use schema::ack::Active;
use schema::pointer::{Candidate, FULL_SHARE, Phase, Selector, Slice};
use schema::{Ack, Digest, Outcome, Pointer, Verified};
use tokio::time::timeout;

use crate::agent::Agent;
use crate::client::PATIENCE;
use crate::publication::{Publication, name};
use crate::running::Running;

/// A pointer to everything as it was and, for everyone, to a candidate.
async fn with_candidate(publication: &Publication, stable: &Verified<Pointer>, generation: u64) -> Verified<Pointer> {
    let target = publication.bundle(&stable.app, b"the candidate").await.target;
    let slice = Slice { share: FULL_SHARE, when: Selector::default(), not_before: None, confirmed: false };
    let (phase, salt) = (Phase::Prepare, "salt".into());
    let candidate = Candidate { target, phase, slice, salt, spread_s: 0, confirm_within_s: 0, also: Vec::new() };
    let plain = publication.pointer(stable.app.as_str(), stable.region.as_str(), generation, stable.stable);
    publication.sign(Pointer { candidate: Some(candidate), ..Pointer::clone(&plain) })
}

#[tokio::test]
async fn the_newest_word_of_each_agent_is_in_the_book() {
    let publication = Publication::new();
    let pointer = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    assert!(gateway.agents.listening_since() <= crate::publication::now());
    assert!(gateway.reports().is_empty());
    let mut agent = Agent::new("web-1");
    let active = Active { digest: pointer.stable.digest, epoch: pointer.epoch, generation: pointer.generation };
    let failed = Ack {
        labels: BTreeMap::from([(name("rack"), name("a1"))]),
        active: Some(active),
        failures: 2,
        ..agent.ack(&pointer, Outcome::Failed)
    };
    assert_eq!(gateway.post("/v1/acks", &agent.again(&failed)).await.status, 202);
    let report = gateway.reports().remove("web-1").expect("the agent");
    assert_eq!((report.labels, report.active, report.failures), (failed.labels.clone(), Some(active), 2));
    assert_eq!((report.attempted, report.outcome), (failed.attempted, Outcome::Failed));
    assert_eq!((report.step, report.reason, report.at), (failed.step, failed.reason.clone(), failed.at));

    // Said once more it is no news; but the agent was heard.
    let mut agents = gateway.agents.clone();
    timeout(PATIENCE, agents.changed()).await.expect("the first word");
    assert_eq!(gateway.post("/v1/acks", &agent.again(&failed)).await.json()["accepted"], 1);
    let again = gateway.reports().remove("web-1").expect("the agent");
    assert!(again.heard > report.heard);
    assert!(timeout(Duration::ZERO, agents.changed()).await.is_err(), "nothing changed");
    let applied = Ack { failures: 0, ..agent.ack(&pointer, Outcome::Applied) };
    assert_eq!(gateway.post("/v1/acks", &agent.again(&applied)).await.json()["accepted"], 1);
    timeout(PATIENCE, agents.changed()).await.expect("news");
    let mended = gateway.reports().remove("web-1").expect("the agent");
    assert_eq!((mended.outcome, mended.failures), (Outcome::Applied, 0));
}

#[tokio::test]
async fn an_ack_may_be_about_the_candidate_or_the_stable_bundle_and_no_other() {
    let publication = Publication::new();
    let first = publication.publish("edge-proxy", "eu-west", 1).await;
    let gateway = Running::of(&publication).await;
    let second = with_candidate(&publication, &first, 2).await;
    publication.point(&second).await;
    gateway.until_generation("edge-proxy", 2).await;
    let candidate = second.candidate.as_ref().expect("a candidate").target.digest;
    let status = gateway.status().await.regions.remove(0).pointer.expect("a pointer");
    assert_eq!(status.candidate, Some(candidate));

    let said = |agent: &Agent, attempted, outcome| Ack { attempted, ..agent.ack(&second, outcome) };
    for (host, attempted, outcome, accepted) in [
        ("web-1", candidate, Outcome::Prepared, 1),
        ("web-2", candidate, Outcome::Unprepared, 1),
        ("web-3", first.stable.digest, Outcome::Applied, 1),
        ("web-4", Digest::of(b"invented"), Outcome::Prepared, 0),
    ] {
        let mut agent = Agent::new(host);
        let ack = said(&agent, attempted, outcome);
        assert_eq!(gateway.post("/v1/acks", &agent.again(&ack)).await.json()["accepted"], accepted, "{host}");
    }
    // A generation later it still counts for those who are late, and nothing that was never asked for does.
    let third = publication.pointer("edge-proxy", "eu-west", 3, first.stable);
    publication.point(&third).await;
    gateway.until_generation("edge-proxy", 3).await;
    let (mut late, mut liar) = (Agent::new("web-5"), Agent::new("web-6"));
    let (true_word, lie) =
        (said(&late, candidate, Outcome::Prepared), said(&liar, Digest::of(b"x"), Outcome::Prepared));
    assert_eq!(gateway.post("/v1/acks", &late.again(&true_word)).await.json()["accepted"], 1);
    assert_eq!(gateway.post("/v1/acks", &liar.again(&lie)).await.json()["ignored"], 1);
    let ahead = Ack { attempted: candidate, ..liar.ack(&third, Outcome::Prepared) };
    assert_eq!(gateway.post("/v1/acks", &liar.again(&ahead)).await.json()["ignored"], 1);

    let counted = gateway.status().await.regions.remove(0).agents;
    let prepared: u64 = counted.generations.iter().map(|group| group.prepared).sum();
    let unprepared: u64 = counted.generations.iter().map(|group| group.unprepared).sum();
    assert_eq!((counted.known, prepared, unprepared), (4, 2, 1));
    assert_eq!(counted.worst.iter().map(|worst| worst.agent.as_str()).collect::<Vec<_>>(), ["web-2"]);
    let metrics = String::from_utf8(gateway.get("/metrics", &[]).await.body.to_vec()).expect("text");
    for (outcome, count) in [("applied", 1), ("prepared", 2), ("unprepared", 1)] {
        let line =
            format!("driftless_gateway_agents{{app=\"edge-proxy\",region=\"eu-west\",outcome=\"{outcome}\"}} {count}");
        assert!(metrics.lines().any(|found| found == line), "{line} in:\n{metrics}");
    }
}
