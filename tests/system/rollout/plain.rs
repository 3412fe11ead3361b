//! Rollouts without anybody to answer to: plain files, and a publisher that is gone.

use super::site::{Site, write_rules};
use crate::by_hand::nginx;
use crate::world::{Process, World, eventually};

/// Time alone: a quarter of every region, and everybody a few seconds later.
const TIMED: &str = "  timed:
    gate: none
    waves:
      - { share: 25%, soak: 6s }
      - { share: 100% }
";

#[test]
fn a_timed_plan_is_followed_by_the_agents_themselves_with_the_publisher_dead() {
    let world = World::new();
    write_rules(&world, &[("web", "timed")], TIMED);
    world.write("apps/web/v", "0\n");
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "Begin"]);
    let mut publisher = Process::start(world.driftless(&["publisher", "config"]));
    let (_nginx, url) = nginx(&world);
    let site = Site::around(world, &["web"], None, url);
    site.commit("web", &[("v", "1\n")]);
    eventually("the plan is in every pointer", || {
        super::site::REGIONS.iter().all(|region| !site.pointer("web", region)["candidate"].is_null())
    });
    publisher.kill();
    site.some_run("web", "1");
    site.all_run("web", "1");
    let pointer = site.pointer("web", "eu-west");
    assert!(!pointer["candidate"].is_null(), "nobody moved the pointer meanwhile: {pointer:#}");
    let mut publisher = Process::start(site.world.driftless(&["publisher", "config"]));
    eventually("a publisher that comes back makes it stable", || {
        let pointer = site.pointer("web", "eu-west");
        pointer["candidate"].is_null() && pointer["stable"]["digest"] != pointer["prev"]
    });
    site.all_run("web", "1");
    publisher.kill();
}

/// Agents go back by themselves unless somebody confirms.
const DEAD_MAN: &str = "  dead-man:
    prepare: false
    waves:
      - { regions: [eu-west], share: 25%, soak: 4s }
      - { regions: [\"*\"], share: 100% }
    gate: { applied: 100%, failed_at_most: 0, within: 60s }
    confirm_within: 6s
    live_within: 5s
";

#[test]
fn agents_that_nobody_confirms_go_back_by_themselves_with_the_publisher_dead() {
    let site = Site::start(&[("web", "dead-man")], DEAD_MAN);
    let commit = site.commit("web", &[("v", "1\n")]);
    site.comes_to_wave("web", &commit, 0);
    site.some_run("web", "1");
    site.kill_publisher();
    site.all_run("web", "0");
    assert_eq!(site.seen("web").ever("1").len(), 1);
}
