//! The publisher dies at every action of a rollout, and the rollout ends as if it had not.

use super::site::{STEADY, Site};
use crate::world::{Process, eventually};

/// One rollout has fewer actions of any kind.
const DEATHS_MAX: usize = 40;

#[test]
fn a_publisher_killed_at_every_action_of_a_good_rollout_completes_it() {
    let site = Site::start(&[("web", "steady")], STEADY);
    site.kill_publisher();
    for point in publisher::rollout::POINTS {
        let version = format!("good after {point}");
        let good = site.commit("web", &[("v", &format!("{version}\n"))]);
        let deaths = die_again_and_again(&site, point, &good);
        assert!(deaths > 0, "{point} is an action of a good rollout");
        site.ends("web", &good, "complete");
        site.all_run("web", &version);
        site.kill_publisher();
        eprintln!("{point}: {deaths} deaths");
    }
    assert_eq!(site.rollouts("web").len(), publisher::rollout::POINTS.len(), "one rollout for each commit");
}

#[test]
fn a_publisher_killed_at_every_action_of_a_bad_rollout_stops_it_in_the_first_wave() {
    let site = Site::start(&[("web", "steady")], STEADY);
    site.kill_publisher();
    for point in publisher::rollout::POINTS {
        let version = format!("bad at {point}");
        let files = [("v", format!("{version}\n")), ("reload.sh", "sleep 0.2; exit 1\n".to_owned())];
        let bad = site.commit("web", &files.each_ref().map(|(name, text)| (*name, text.as_str())));
        let deaths = die_again_and_again(&site, point, &bad);
        assert!(deaths > 0, "{point} is an action of a bad rollout");
        site.ends("web", &bad, "failed");
        site.is_back_at("web", "0");
        assert!(site.seen("web").ever(&version).len() <= 1, "no more than the first wave ever ran it");
        site.kill_publisher();
        eprintln!("{point}: {deaths} deaths");
    }
}

/// Starts the publisher so that it kills itself whenever it has done `point`, again and again until the rollout of `commit` is
/// over; then one runs that does not. Gives how often it died.
fn die_again_and_again(site: &Site, point: &str, commit: &str) -> usize {
    let mut deaths = 0;
    loop {
        assert!(deaths < DEATHS_MAX, "{point}: the rollout gets nowhere between deaths");
        let mut command = site.world.driftless(&site.up_again());
        command.env("DRIFTLESS_KILL_AT", point);
        let mut doomed = Process::start(command);
        let mut is_over = false;
        eventually(&format!("{point}: it dies or is done"), || {
            is_over = site.rollout("web", commit)["stage"]["is"] == "ended";
            !doomed.is_running() || is_over
        });
        if is_over {
            // What follows from the last record may be left to do, and it may die of that, too.
            break;
        }
        deaths += 1;
    }
    site.start_publisher();
    deaths
}
