//! A region that somebody moves by hand in the middle of a rollout.

use super::site::{PATIENT, Site};
use crate::world::assert_ok;

#[test]
fn a_rollback_by_hand_ends_the_rollout_that_is_under_way() {
    let site = Site::start(&[("web", "patient")], PATIENT);
    let good = site.commit("web", &[("v", "1\n")]);
    site.comes_to_wave("web", &good, 0);
    site.orders(&["rollout", "promote", "web"]);
    site.ends("web", &good, "complete");
    site.all_run("web", "1");
    let second = site.commit("web", &[("v", "2\n")]);
    site.comes_to_wave("web", &second, 0);
    site.some_run("web", "2");
    let rollback = site.world.run(&["rollback", "config", "--app", "web", "--reason", "it is bad"]);
    assert_ok(&rollback, "driftless rollback");
    let why = site.ends("web", &second, "aborted");
    assert!(!why.is_empty());
    site.is_back_at("web", "1");
    assert_eq!(site.seen("web").ever("2").len(), 1, "nobody switched after the rollback");
}
