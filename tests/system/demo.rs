//! The README's first command, on fewer agents.

use crate::world::{World, assert_ok};

#[test]
fn the_demo_tells_its_whole_story() {
    let world = World::new();
    let run = world.run(&["demo", "--agents", "6", "--json"]);
    assert_ok(&run, "driftless demo");
    let figures: serde_json::Value = serde_json::from_slice(&run.stdout).expect("one JSON document");
    assert_eq!(figures["agents"], 6);
    assert!(figures["publish"]["commit_to_pointer_ms"].is_u64());
    for act in ["publish", "rollback"] {
        for percentile in ["p50", "p99", "max"] {
            assert!(figures[act]["pointer_to_applied_ms"][percentile].is_u64(), "{act} {percentile}: {figures}");
        }
    }
    assert!(figures["publish"]["bundle_bytes"].as_u64() > Some(0), "a new version is fetched: {figures}");
    assert_eq!(figures["rollback"]["bundle_bytes"], 0, "a revert is not");
    assert_eq!(figures["tampered_refused"], 6);
    assert_eq!(figures["tampered_applied"], 0);
    assert_eq!(figures["repaired_applied"], 6);
    assert_eq!(figures["unsigned_refused"], true);
}

#[test]
fn the_demo_tells_people_as_well() {
    let world = World::new();
    let run = world.run(&["demo", "--agents", "3"]);
    assert_ok(&run, "driftless demo");
    let told = String::from_utf8_lossy(&run.stdout).into_owned();
    for line in ["1. Merge", "2. git revert", "bundle bytes moved: 0", "3. Tampering", "4. An unsigned commit"] {
        assert!(told.contains(line), "{line:?} in\n{told}");
    }
}

#[test]
fn the_demo_of_rollouts_keeps_its_promises() {
    let world = World::new();
    let run = world.run(&["demo", "--rollout", "--agents", "36", "--json"]);
    assert_ok(&run, "driftless demo --rollout");
    let figures: serde_json::Value = serde_json::from_slice(&run.stdout).expect("one JSON document");
    assert_eq!(figures["good_applied"], 36);
    assert_eq!(figures["prepare_switched"], 0, "{figures:#}");
    assert!(figures["prepare_failures"].as_u64() > Some(0), "{figures:#}");
    assert_eq!(figures["wave_cap"], 2, "a tenth of twelve, rounded up");
    assert!(matches!(figures["peak_on_bad"].as_u64(), Some(1 | 2)), "{figures:#}");
    assert_eq!(figures["rolled_back"], true);
    assert!(figures["blocked_commit"].is_string(), "{figures:#}");
    assert_eq!(figures["revert_bundle_bytes"], 0);
    assert_eq!(figures["frozen_switched"], 0);
    assert_eq!(figures["broken"], serde_json::json!([]));
}

#[test]
fn the_demo_of_rollouts_needs_a_fleet() {
    let world = World::new();
    let run = world.run(&["demo", "--rollout", "--agents", "6"]);
    assert_eq!(run.status.code(), Some(2), "{}", crate::world::stderr(&run));
}
