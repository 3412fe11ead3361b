//! Rollouts and the text that they come to, letter by letter.

use schema::pointer::{Cause, Deed};
use schema::rollout::Share;
use schema::{Digest, Timestamp};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_millis(1_800_000_000_000 + seconds * 1000)
}

fn leg(region: &str, place: Place) -> LegStatus {
    LegStatus {
        region: region.parse().expect("a region"),
        place,
        digest: Digest::of(b"new"),
        epoch: schema::Epoch::FIRST,
        generation: schema::Generation::new(7),
        share: Share(1000),
        live: 200,
        expected: 20,
        prepared: 0,
        unprepared: 0,
        applied: 0,
        failed: 0,
        silent: 20,
        quarantined: 0,
        reasons: Vec::new(),
    }
}

fn rollout(stage: Stage, regions: Vec<LegStatus>) -> RolloutStatus {
    RolloutStatus {
        app: "web".parse().expect("an app"),
        id: "3".parse().expect("an id"),
        commit: "a".repeat(40).parse().expect("a commit"),
        policy: "careful".into(),
        waves: 4,
        stage,
        paused: None,
        waits_for: None,
        began: at(0),
        at: at(60),
        cause: Cause::own(Deed::Advance, "the gate passed"),
        blocked: false,
        regions,
    }
}

fn candidate() -> Place {
    Place::Candidate { expected: 20, begun: None, confirmed: false, met: None }
}

#[test]
fn a_wave_under_way() {
    let here = LegStatus { applied: 17, failed: 1, silent: 2, quarantined: 1, ..leg("eu-west", candidate()) };
    let mut running = rollout(Stage::Wave { index: 1, since: at(30) }, vec![here, leg("us", Place::Untouched)]);
    running.waits_for = Some("19 of 20 agents in eu-west".to_owned());
    let expected = "\
web  rollout 3 of aaaaaaaaaa, policy careful
  stage   wave 2 of 4 since 2027-01-15T08:00:30.000Z
  waits   19 of 20 agents in eu-west
  eu-west  10% [####################x...] 17 of 20 applied, 1 failed, 2 silent, 1 in quarantine
  us       not begun, 200 agents";
    assert_eq!(block(&running).join("\n"), expected);
    assert_eq!(in_short(&running), "web: rollout 3 of aaaaaaaaaa: wave 2 of 4 since 2027-01-15T08:00:30.000Z");
}

#[test]
fn agents_get_ready_while_somebody_holds_it() {
    let here = LegStatus { prepared: 19, unprepared: 1, silent: 0, share: Share::FULL, ..leg("eu", candidate()) };
    let mut held = rollout(Stage::Preparing { everyone: true, since: at(30) }, vec![here]);
    held.paused = Some(Cause::new("alice", Deed::Pause, "lunch"));
    let expected = "\
web  rollout 3 of aaaaaaaaaa, policy careful
  stage   preparing, all agents, since 2027-01-15T08:00:30.000Z
  paused  by alice: lunch
  eu  100% [######################x.] 19 of 20 prepared, 1 cannot, 0 silent";
    assert_eq!(block(&held).join("\n"), expected);
}

#[test]
fn a48_what_agents_and_operators_wrote_moves_no_cursor() {
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}no space\nFAKE LINE\r\u{202e}gpj";
    let mut back = leg("eu", Place::Back { why: hostile.into() });
    back.reasons = vec![hostile.into(); 9];
    let mut failed = rollout(Stage::Ended(End::Failed { why: hostile.into() }), vec![back]);
    failed.blocked = true;
    failed.waits_for = Some(hostile.to_owned());
    failed.paused = Some(Cause { who: hostile.into(), deed: Deed::Pause, why: hostile.into() });
    failed.policy = hostile.into();
    let expected = "\
web  rollout 3 of aaaaaaaaaa, policy [2J ]0;owned no space FAKE LINE gpj
  stage   failed at 2027-01-15T08:01:00.000Z
  paused  by [2J ]0;owned no space FAKE LINE gpj: [2J ]0;owned no space FAKE LINE gpj
  waits   [2J ]0;owned no space FAKE LINE gpj
  eu  went back: [2J ]0;owned no space FAKE LINE gpj
        [2J ]0;owned no space FAKE LINE gpj
        [2J ]0;owned no space FAKE LINE gpj
        [2J ]0;owned no space FAKE LINE gpj
        [2J ]0;owned no space FAKE LINE gpj
        [2J ]0;owned no space FAKE LINE gpj
  why     [2J ]0;owned no space FAKE LINE gpj
  blocked aaaaaaaaaa is not published again until another commit supersedes it";
    assert_eq!(block(&failed).join("\n"), expected);
}

#[test]
fn a_bar_is_as_long_as_any_other_and_shows_the_one_that_failed() {
    let bar = |good, bad, of| Counts { good: (good, ""), bad: (bad, ""), silent: 0, of }.bar();
    assert_eq!(bar(0, 0, 0), "[........................]");
    assert_eq!(bar(99_999, 1, 100_000), "[#######################x]");
    assert_eq!(bar(7, 7, 3), "[xxxxxxxxxxxxxxxxxxxxxxxx]", "what others say they counted is not trusted");
    assert_eq!(bar(u64::MAX, 0, 1), "[########################]");
}
