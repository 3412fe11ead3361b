//! Many agents that fail at once, with long names.

use schema::rollout::QuarantineRule;
use schema::{AgentReport, Limits, Outcome, Verified};

use super::super::fixture::*;
use super::super::*;

#[test]
fn a46_no_crowd_in_quarantine_makes_a_pointer_too_large_to_be_signed() {
    let mut pointer = pointer(&region("eu"));
    let rule = QuarantineRule { after: 1, ..policy(vec![wave(&[], 100, 0)]).quarantine };
    for crowd in 0..3 {
        let names = (0..100).map(|n| format!("crowd-{crowd}-{n:03}-{}", "x".repeat(100)).parse().expect("an agent"));
        let reports = names.map(|agent| AgentReport {
            failures: 1,
            ..word(&agent, &pointer, target("old").digest, Outcome::Failed, at(0))
        });
        let change = quarantine(&pointer, &reports.collect::<Vec<_>>(), &rule, at(0));
        pointer.quarantine.extend(change.add.into_iter().map(|(agent, _)| agent));
    }
    assert!(pointer.quarantine.len() >= 50, "and yet some are out: {}", pointer.quarantine.len());
    let sealed = Verified::seal(pointer, &[&schema::keys::SecretKey::generate()]);
    let half = Limits::DEFAULT.pointer_max_bytes / 4 * 3;
    assert!((sealed.bytes().len() as u64) < half, "there is room for a candidate: {}", sealed.bytes().len());
}
