//! What else is merged while a rollout is under way.

use super::site::{PATIENT, STEADY, Site};

#[test]
fn a_git_revert_in_the_middle_of_a_rollout_brings_back_whoever_switched() {
    let site = Site::start(&[("web", "patient")], PATIENT);
    let first = site.commit("web", &[("v", "1\n")]);
    site.comes_to_wave("web", &first, 0);
    site.some_run("web", "1");
    let revert = site.revert(&first);
    site.ends("web", &first, "superseded");
    site.is_back_at("web", "0");
    assert_eq!(site.seen("web").ever("1").len(), 1, "nobody switched after the revert");
    site.published(&revert);
    assert_eq!(site.rollouts("web").len(), 1, "going back takes no waves");
}

#[test]
fn a_second_commit_in_the_middle_of_a_rollout_takes_its_place_and_begins_with_the_first_wave() {
    let site = Site::start(&[("web", "patient")], PATIENT);
    let first = site.commit("web", &[("v", "1\n")]);
    site.comes_to_wave("web", &first, 0);
    site.some_run("web", "1");
    let second = site.commit("web", &[("v", "2\n")]);
    site.ends("web", &first, "superseded");
    site.comes_to_wave("web", &second, 0);
    site.some_run("web", "2");
    site.orders(&["rollout", "promote", "web"]);
    site.ends("web", &second, "complete");
    site.all_run("web", "2");
    let seen = site.seen("web");
    assert_eq!(seen.ever("1").len(), 1, "the first commit got no further");
}

#[test]
fn a_revert_goes_to_everyone_at_once_and_its_own_revert_takes_waves_again() {
    let site = Site::start(&[("web", "steady")], STEADY);
    let first = site.commit("web", &[("v", "1\n")]);
    site.ends("web", &first, "complete");
    site.all_run("web", "1");
    let revert = site.revert(&first);
    site.all_run("web", "0");
    site.published(&revert);
    assert_eq!(site.rollouts("web").len(), 1, "what is known to be good needs no rollout");
    let again = site.revert(&revert);
    site.ends("web", &again, "complete");
    site.all_run("web", "1");
    assert_eq!(site.rollouts("web").len(), 2, "what was taken back once is not known to be good");
}
