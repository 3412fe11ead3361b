//! Outages of changes that went to everyone at once: here they stop in the first wave.

use super::shared::site;

/// A service that does not come up with what it is given, where no check could tell.
const CRASHES: &str = "sleep 0.2; echo 'it does not come up' >&2; exit 1\n";

#[test]
fn outage_azure_2014_a_commit_cannot_lift_its_own_waves() {
    // Azure Storage, 18 November 2014: flighted on one tier, then pushed to most regions at once by hand, since the tool let them.
    // Here no path leads around the waves: a commit goes by the rules that were in force before it.
    let site = site();
    let rules = site.world.path("config").join("driftless.yaml");
    let before = std::fs::read_to_string(&rules).expect("it was committed");
    let lifted = before.replace("path: apps/tables, rollout: careful", "path: apps/tables, rollout: all-at-once");
    assert_ne!(before, lifted);
    // Without the trailer it would not even be published.
    let bad = site.commit_saying(
        "To everyone at once\n\nDriftless-Allow: rollout",
        &[("apps/tables/v", "bad\n"), ("apps/tables/reload.sh", CRASHES), ("driftless.yaml", &lifted)],
    );
    site.ends("tables", &bad, "failed");
    site.is_back_at("tables", "0");
    assert_eq!(site.seen("tables").ever("bad").len(), 1);
}

#[test]
fn outage_google_2019_one_region_at_a_time() {
    // Google, 2 June 2019: automation took down network control in several places at the same time.
    // Here a change is in one region until that region is well, and no pointer is for the whole world.
    let site = site();
    let bad = site.commit("networks", &[("v", "bad\n"), ("reload.sh", CRASHES)]);
    site.ends("networks", &bad, "failed");
    site.is_back_at("networks", "0");
    let ever = site.seen("networks").ever("bad");
    assert!(!ever.is_empty() && ever.iter().all(|host| host.starts_with("eu-west-")), "{ever:?}");
}

#[test]
fn outage_fastly_2021_a_valid_change_that_wakes_an_old_bug() {
    // Fastly, 8 June 2021: a valid configuration triggered a bug that had been shipped weeks before, everywhere at once.
    // Here what a check cannot see, the probe on the first few hosts does, and they go back by themselves.
    let site = site();
    let bad = site.commit("cdn", &[("v", "bad\n"), ("probe.sh", CRASHES)]);
    site.ends("cdn", &bad, "failed");
    site.is_back_at("cdn", "0");
    assert_eq!(site.seen("cdn").ever("bad").len(), 1);
}

#[test]
fn outage_google_cloud_2025_blank_fields_do_not_reach_the_whole_world_in_seconds() {
    // Google Cloud, 12 June 2025: blank fields in a policy were replicated worldwide within seconds; everything crashed in a loop.
    // Here each region has its own pointer and its own gate; when one region says no, all that were touched go back.
    let site = site();
    let crashes_there = "case $1 in ap-south-*) sleep 0.2; echo 'a field is blank' >&2; exit 1;; esac\n";
    let bad = site.commit("quota", &[("v", "bad\n"), ("reload.sh", crashes_there)]);
    let why = site.ends("quota", &bad, "failed");
    assert!(why.contains("ap-south"), "{why}");
    site.is_back_at("quota", "0");
    assert!(site.seen("quota").ever("bad").len() <= 3, "a host in each region");
}

#[test]
fn outage_facebook_2021_an_audit_that_crashes_says_no() {
    // Facebook, 4 October 2021: the audit that should have stopped the command had a bug and let it through.
    // Here a check that crashes, fails or says nothing is a no: without a yes nothing goes on.
    let site = site();
    let merged = site.commit("routes", &[("v", "1\n")]);
    let why = site.ends("routes", &merged, "failed");
    assert!(why.contains("audit"), "{why}");
    site.is_back_at("routes", "0");
    assert!(site.seen("routes").ever("1").len() <= 1);
}

#[test]
fn outage_azure_front_door_2025_what_fails_minutes_after_it_was_loaded_is_caught_by_the_soak() {
    // Azure Front Door, 29 October 2025: metadata crashed the data plane minutes after it was loaded, when all gates had passed.
    // Here a wave must stay well for as long as its soak, and is looked at once more at the end of it.
    let site = site();
    let bad = site.commit("front-door", &[("v", "bad\n")]);
    site.comes_to_wave("front-door", &bad, 0);
    let met = |record: &serde_json::Value| record["regions"]["eu-west"]["place"]["met"].is_string();
    crate::world::eventually("the gate is met, and the soak begins", || met(&site.rollout("front-door", &bad)));
    std::fs::write(site.world.path("errors"), "").expect("a small file");
    let why = site.ends("front-door", &bad, "failed");
    assert!(why.contains("errors"), "{why}");
    site.is_back_at("front-door", "0");
    assert_eq!(site.seen("front-door").ever("bad").len(), 1);
}

#[test]
fn outage_cloudflare_december_2025_a_kill_switch_takes_waves_like_everything_else() {
    // Cloudflare, 5 December 2025: a kill switch went through the channel for everyone at once, onto a path nobody had tried.
    // Here there is no such channel: the smallest change takes the same waves.
    let site = site();
    let bad = site.commit("kill-switch", &[("v", "off\n"), ("reload.sh", CRASHES)]);
    site.ends("kill-switch", &bad, "failed");
    site.is_back_at("kill-switch", "0");
    assert_eq!(site.seen("kill-switch").ever("off").len(), 1);
}
