//! What a rollout stops: in prepare before anybody switches, and else in the first wave.

use super::site::{REGIONS, STEADY, Site};
use crate::world::eventually;

#[test]
fn a_commit_whose_check_fails_on_one_host_is_caught_before_anybody_switches() {
    let site = Site::start(&[("web", "steady")], STEADY);
    let check = "[ \"$1\" != us-east-2 ] || { echo 'its disk is full' >&2; exit 1; }\n";
    let bad = site.commit("web", &[("v", "bad\n"), ("check.sh", check)]);
    let why = site.ends("web", &bad, "failed");
    assert!(why.starts_with("preparing"), "{why}");
    site.is_back_at("web", "0");
    eventually("the publisher says why", || {
        let told = site.told("web");
        told["blocked"] == true && told["commit"] == *bad
    });
    assert_eq!(site.seen("web").peak("bad"), 0, "nobody switched");

    // It stays blocked, whoever forgets what it knew.
    site.kill_publisher();
    std::fs::remove_dir_all(site.world.home().join("state")).expect("what the publisher remembers can be lost");
    site.start_publisher();
    eventually("the new publisher knows", || site.told("web")["blocked"] == true);
    let another = site.commit("web", &[("v", "good\n"), ("check.sh", "true\n")]);
    site.ends("web", &another, "complete");
    site.all_run("web", "good");
    assert_eq!(site.rollouts("web").len(), 2, "the blocked commit was not tried again");
    assert_eq!(site.seen("web").peak("bad"), 0, "nobody ever switched");
}

#[test]
fn a_commit_whose_reload_fails_is_stopped_in_the_first_wave() {
    let site = Site::start(&[("web", "steady")], STEADY);
    let bad = site.commit("web", &[("v", "bad\n"), ("reload.sh", "sleep 0.3; exit 1\n")]);
    let why = site.ends("web", &bad, "failed");
    assert!(why.contains("eu-west"), "{why}");
    site.is_back_at("web", "0");
    let ever = site.seen("web").ever("bad");
    assert_eq!(ever.len(), 1, "a quarter of the four hosts of eu-west: {ever:?}");
    assert!(ever.iter().all(|host| host.starts_with("eu-west-")), "{ever:?}");
    let pointer = site.pointer("web", "eu-west");
    assert_eq!(pointer["cause"]["deed"], "rollback", "{pointer:#}");
    let record = site.rollout("web", &bad);
    assert_eq!(record["regions"]["eu-west"]["place"]["is"], "back", "{record:#}");
}

#[test]
fn a_good_commit_goes_wave_by_wave_to_everyone() {
    let site = Site::start(&[("web", "steady")], STEADY);
    let good = site.commit("web", &[("v", "good\n")]);
    let first = site.comes_to_wave("web", &good, 0);
    assert_eq!(first["regions"]["us-east"]["place"]["is"], "candidate", "all regions prepared it: {first:#}");
    site.ends("web", &good, "complete");
    site.all_run("web", "good");
    for region in REGIONS {
        eventually(&format!("it is what {region} runs"), || {
            let pointer = site.pointer("web", region);
            pointer["candidate"].is_null() && pointer["commit"] == *good
        });
    }
}
