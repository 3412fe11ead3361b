//! The operator's hand: a policy that asks for it, and the commands.

use super::site::{PATIENT, Site};
use crate::world::eventually;

const ASKING: &str = "  asking:
    prepare: false
    waves:
      - { regions: [eu-west], share: 25% }
      - { regions: [\"*\"], share: 100% }
    gate: { applied: 100%, failed_at_most: 0, within: 60s }
    on_failure: pause
    live_within: 5s
";

/// Fails on the first host of a wave and on nobody after that, so that what an operator promotes can end well.
fn fails_once(site: &Site) -> String {
    let flag = site.world.path("failed-once").display().to_string();
    format!("[ -e {flag} ] || {{ touch {flag}; exit 1; }}\n")
}

#[test]
fn a_failure_can_hold_a_rollout_until_an_operator_promotes_it() {
    let site = Site::start(&[("web", "asking")], ASKING);
    let commit = site.commit("web", &[("v", "1\n"), ("reload.sh", &fails_once(&site))]);
    eventually("it is held", || !site.rollout("web", &commit)["paused"].is_null());
    let record = site.rollout("web", &commit);
    assert_eq!(record["paused"]["who"], "publisher", "{record:#}");
    site.orders(&["rollout", "promote", "web"]);
    site.ends("web", &commit, "complete");
    site.all_run("web", "1");
}

#[test]
fn a_failure_can_hold_a_rollout_until_an_operator_aborts_it() {
    let site = Site::start(&[("web", "asking")], ASKING);
    let commit = site.commit("web", &[("v", "1\n"), ("reload.sh", "sleep 0.2; exit 1\n")]);
    eventually("it is held", || !site.rollout("web", &commit)["paused"].is_null());
    site.orders(&["rollout", "abort", "web"]);
    let why = site.ends("web", &commit, "aborted");
    assert!(why.contains("the test says so"), "{why}");
    site.is_back_at("web", "0");
    eventually("it is blocked", || site.told("web")["blocked"] == true);
    assert_eq!(site.seen("web").ever("1").len(), 1);
}

#[test]
fn a_paused_rollout_moves_nobody_until_it_is_resumed() {
    let site = Site::start(&[("web", "patient")], PATIENT);
    let commit = site.commit("web", &[("v", "1\n")]);
    site.comes_to_wave("web", &commit, 0);
    site.orders(&["rollout", "pause", "web"]);
    let held = site.rollout("web", &commit);
    assert!(held["paused"]["who"].is_string(), "{held:#}");
    site.kill_publisher();
    site.start_publisher();
    eventually("the new publisher knows that it is held", || site.told("web")["paused"]["who"].is_string());
    site.orders(&["rollout", "resume", "web"]);
    site.orders(&["rollout", "promote", "web"]);
    site.ends("web", &commit, "complete");
    site.all_run("web", "1");
}

#[test]
fn a_deed_without_a_token_is_refused() {
    let site = Site::start(&[("web", "patient")], PATIENT);
    let commit = site.commit("web", &[("v", "1\n")]);
    site.comes_to_wave("web", &commit, 0);
    let stranger = site.world.path("stranger");
    std::fs::write(&stranger, "0123456789abcdef0123456789abcdef\n").expect("a small file");
    let stranger = stranger.display().to_string();
    let args = ["rollout", "promote", "web", "--why", "I want it", "--url", &site.url, "--token", &stranger];
    let refused = site.world.run(&args);
    assert_eq!(refused.status.code(), Some(3), "{}", crate::world::stderr(&refused));
    assert_eq!(site.rollout("web", &commit)["stage"]["index"], 0);
}
