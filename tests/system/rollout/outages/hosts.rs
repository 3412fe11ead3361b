//! Outages that took the hosts themselves down: a check that burns them, a file that kills them.

use super::shared::site;
use crate::rollout::site::Site;
use crate::world::eventually;

#[test]
fn outage_cloudflare_july_2019_a_rule_that_burns_the_processor_is_stopped_by_the_check() {
    // Cloudflare, 2 July 2019: one regular expression burnt every processor worldwide; even its simulate mode ran it everywhere.
    // Here the check of the first wave's hosts runs first, alone, and within a time limit.
    let site = site();
    let bad = site.commit("firewall", &[("v", "bad\n"), ("check.sh", "while :; do :; done\n")]);
    let why = site.ends("firewall", &bad, "failed");
    assert!(why.starts_with("preparing"), "{why}");
    site.is_back_at("firewall", "0");
    assert_eq!(site.seen("firewall").peak("bad"), 0, "nobody switched");
}

/// Its soak is longer than an agent counts as alive after its last word.
const WATCHFUL: &str = "  watchful:
    prepare: false
    waves:
      - { regions: [eu-west], share: 100%, soak: 8s }
      - { regions: [\"*\"], share: 100% }
    gate: { applied: 75%, failed_at_most: 0, within: 6s }
    live_within: 4s
";

/// On half of the hosts of the first wave it takes longer to load than the witness takes to notice: they die before they speak.
const DEADLY: &str = "case \"$1\" in eu-west-1 | eu-west-2) sleep 4 ;; esac\n";

#[test]
fn outage_crowdstrike_2024_hosts_that_go_silent_after_applying_count_as_no() {
    // CrowdStrike, 19 July 2024: a content file went to 8.5 million hosts at once; they never came up again to say so.
    // Here hosts that fall silent stay in the number that must say yes: those that live on are not everybody.
    let site = Site::start(&[("sensor", "watchful")], WATCHFUL);
    let bad = site.commit("sensor", &[("v", "bad\n"), ("reload.sh", DEADLY)]);
    let dead = ["eu-west-1", "eu-west-2"];
    for host in dead {
        eventually("a host of the first wave has it", || {
            site.seen("sensor").ever("bad").iter().any(|seen| seen == host)
        });
        site.crowd.silence(host);
    }
    let why = site.ends("sensor", &bad, "failed");
    assert!(why.contains("2 of 4 agents said yes"), "{why}");
    let ever = site.seen("sensor").ever("bad");
    assert!(
        ever.iter().all(|host| host.starts_with("eu-west")),
        "one wave in one region, and nobody after it: {ever:?}"
    );
    eventually("the region's pointer went back", || site.pointer("sensor", "eu-west")["candidate"].is_null());
    // Whoever comes up again goes straight to what is good.
    dead.into_iter().for_each(|host| site.crowd.wake(host));
    site.all_run("sensor", "0");
}
