//! Two publishers side by side: records and pointers are told apart by who creates them first.

use std::fs;

use super::site::{STEADY, Site};
use crate::world::Process;

#[test]
fn two_publishers_side_by_side_take_a_rollout_through_once() {
    let site = Site::start(&[("web", "steady")], STEADY);
    let yaml = fs::read_to_string(site.world.home().join("publisher.yaml")).expect("init wrote it");
    let other = site.world.home().join("other.yaml");
    fs::write(&other, yaml.replace("state: state", "state: state-other")).expect("a small file");
    let other = other.display().to_string();
    // It hears no agent, and so judges no gate; but it begins rollouts, and moves pointers that lag.
    let mut beside = Process::start(site.world.driftless(&["publisher", "--config", &other]));
    for version in ["1", "2"] {
        let good = site.commit("web", &[("v", &format!("{version}\n"))]);
        site.ends("web", &good, "complete");
        site.all_run("web", version);
    }
    let bad = site.commit("web", &[("v", "bad\n"), ("reload.sh", "sleep 0.2; exit 1\n")]);
    site.ends("web", &bad, "failed");
    site.is_back_at("web", "2");
    assert_eq!(site.rollouts("web").len(), 3, "one rollout for each commit");
    assert!(beside.is_running());
}
