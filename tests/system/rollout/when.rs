//! When a rollout may move: windows and freezes.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};

use super::site::{REGIONS, STEADY, Site};
use crate::world::eventually;

#[test]
fn a_window_that_opens_soon_holds_a_merge_until_then() {
    let opens = SystemTime::now() + Duration::from_secs(20);
    let cron = DateTime::<Utc>::from(opens).format("%S %M %H %d %b *");
    let windows = format!("    windows: [ {{ cron: \"{cron}\", for: 1h, tz: UTC }} ]\n");
    let site = Site::start(&[("web", "steady")], &format!("{STEADY}{windows}"));
    let merged = site.commit("web", &[("v", "1\n")]);
    eventually("the publisher says what it waits for", || {
        SystemTime::now() > opens || site.told("web")["waits_for"].to_string().contains("window")
    });
    assert!(SystemTime::now() < opens, "the site was up before the window opened");
    eventually("the window opens", || {
        let is_open = SystemTime::now() + Duration::from_secs(1) > opens;
        if !is_open {
            assert_eq!(site.seen("web").peak("1"), 0, "nobody moves before the window opens");
            assert!(REGIONS.iter().all(|region| site.pointer("web", region)["candidate"].is_null()));
        }
        is_open
    });
    site.ends("web", &merged, "complete");
    site.all_run("web", "1");
}

#[test]
fn a_freeze_stops_everything_within_one_pointer_and_survives_a_restart() {
    let site = Site::start(&[("web", "steady")], STEADY);
    site.orders(&["freeze"]);
    for region in REGIONS {
        assert_eq!(site.pointer("web", region)["freeze"], true, "the command is answered when it is done");
    }
    let merged = site.commit("web", &[("v", "1\n")]);
    site.kill_publisher();
    std::fs::remove_dir_all(site.world.home().join("state")).expect("what the publisher remembers can be lost");
    site.start_publisher();
    eventually("it stands still because of the freeze", || site.status().to_string().contains("fr"));
    let generation = site.pointer("web", "eu-west")["generation"].clone();
    // Agents say their word every second: a few of those is time enough to move.
    std::thread::park_timeout(Duration::from_secs(3));
    assert_eq!(site.seen("web").peak("1"), 0, "nobody moves while all is frozen");
    for region in REGIONS {
        assert_eq!(site.pointer("web", region)["freeze"], true, "{region}");
    }
    assert_eq!(site.pointer("web", "eu-west")["generation"], generation, "nothing is published there");
    site.orders(&["unfreeze"]);
    site.ends("web", &merged, "complete");
    site.all_run("web", "1");
}
