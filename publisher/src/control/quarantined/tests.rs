//! Pointers, newest first, and what is told of those in quarantine.

use schema::ack::{Active, Outcome, Step};
use schema::pointer::Deed;
use schema::{Epoch, Generation, Target, Timestamp};

use super::*;

fn target(name: &str) -> Target {
    Target { digest: Digest::of(name.as_bytes()), manifest: Digest::of(name.as_bytes()) }
}

/// A generation with these agents in quarantine, made for that reason.
fn pointer(generation: u64, bundle: &str, quarantine: &[&str], why: Option<&str>) -> Pointer {
    Pointer {
        app: "web".parse().expect("an app"),
        region: "eu".parse().expect("a region"),
        epoch: Epoch::FIRST,
        generation: Generation::new(generation),
        serial: Serial::FIRST,
        issued: Timestamp::from_unix_millis(i64::try_from(generation).expect("a small number") * 1000),
        expires: Timestamp::from_unix_millis(i64::MAX),
        prev: None,
        trace: None,
        commit: bundle.repeat(40).parse().expect("a commit"),
        stable: target(bundle),
        candidate: None,
        quarantine: quarantine.iter().map(|name| name.parse().expect("an agent")).collect(),
        freeze: false,
        withdrawn: Vec::new(),
        cause: why.map(|why| Cause::new("alice", Deed::Quarantine, why)),
    }
}

fn report(agent: &str, runs: &str) -> AgentReport {
    let generation = Generation::new(2);
    AgentReport {
        agent: agent.parse().expect("an agent"),
        labels: BTreeMap::new(),
        heard: Timestamp::UNIX_EPOCH,
        epoch: Epoch::FIRST,
        generation,
        attempted: target("b").digest,
        outcome: Outcome::Failed,
        step: Some(Step::Reload),
        reason: Some("\u{1b}[2Jno\nspace".into()),
        at: Timestamp::UNIX_EPOCH,
        active: Some(Active { digest: target(runs).digest, epoch: Epoch::FIRST, generation }),
        failures: 3,
    }
}

#[test]
fn each_is_listed_since_it_came_in_last_with_the_reason_of_that_time() {
    let pointers = [
        pointer(5, "b", &["web-2", "web-1"], None),
        pointer(4, "b", &["web-1", "web-2"], Some("web-2 failed")),
        pointer(3, "b", &["web-1"], Some("web-1 failed")),
        pointer(2, "b", &[], Some("released")),
        pointer(1, "a", &["web-1"], Some("long ago")),
    ];
    let list = entries(&pointers, &[report("web-2", "a")]);
    let told: Vec<(&str, u64, &str)> =
        list.iter().map(|one| (one.agent.as_str(), one.generation.number(), &*one.why)).collect();
    assert_eq!(told, [("web-1", 3, "web-1 failed"), ("web-2", 4, "web-2 failed")]);
    assert_eq!(list[0].last_word, None);
    assert_eq!(list[1].last_word.as_deref(), Some("failed generation 2 at reload: [2Jno space"));
    assert_eq!(list[1].runs.as_ref().map(CommitId::short), Some("aaaaaaaaaa"));
    assert_eq!((&*list[1].who, list[1].since), ("alice", Timestamp::from_unix_millis(4000)));
    assert_eq!(entries(&[], &[]), []);
}
