use schema::rollout::RegionSet;
use schema::{App, Limits};

use super::super::{Document, tests::problems};
use super::*;
use crate::compile::problem::Found;

const REGIONS: &str = "regions:\n  eu-west: { labels: { continent: eu } }\n  us-east:\n  ap-south:\napps:\n";

/// The policy of the app `a` in a file with these regions, this value of `rollout`, and this section.
fn policy(rollout: &str, section: &str) -> Option<Policy> {
    let text = format!("{REGIONS}  a: {{ path: a, rollout: {rollout} }}\n{section}");
    let mut found = Found::default();
    let document = Document::parse(&text, &Limits::DEFAULT, &mut found);
    assert!(found.is_empty(), "{text}\n{found:?}");
    document.expect("a good document").policies().remove(&"a".parse::<App>().expect("a name"))
}

/// A policy of its own, with these lines.
fn own(lines: &str) -> Policy {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    policy("own", &format!("rollouts:\n  own:\n{lines}")).expect("it has a policy")
}

/// Its waves, one line each: regions, labels, share, soak.
fn waves(policy: &Policy) -> Vec<String> {
    let shown = policy.waves.iter().map(|wave| {
        let regions = match &wave.regions {
            RegionSet::All => "*".to_owned(),
            RegionSet::Named(named) => named.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        };
        let labels: String = wave.when.labels.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        format!("{regions}{labels} {} {}", wave.share, String::from(wave.soak))
    });
    shown.collect()
}

#[test]
fn the_example_of_the_design_is_read_as_it_stands() {
    let text = r#"
regions:
  eu-west: { labels: { continent: eu } }
  us-east: { labels: { continent: us } }
apps:
  edge-proxy:
    path: apps/edge-proxy            # every file below it is configuration
    overlays:                        # optional, applied in order where the selector matches
      - path: overlays/eu/edge-proxy
        when: { continent: eu }
    rollout: careful                 # a policy below
rollouts:
  careful:
    waves: [ { regions: [eu-west], share: 5%, soak: 2m }, { regions: [eu-west], share: 100%, soak: 5m }, { regions: ["*"], share: 100% } ]
    gate: { applied: 99%, failed_at_most: 3, within: 10m }
    on_failure: rollback
    windows: [ { cron: "0 0 9 * * Mon-Fri", for: 8h, tz: Europe/Berlin } ]
"#;
    let mut found = Found::default();
    let document = Document::parse(text, &Limits::DEFAULT, &mut found).expect("a good document");
    assert!(found.is_empty(), "{found:?}");
    let policies = document.policies();
    let policy = policies.values().next().expect("the app has one");
    assert_eq!(waves(policy), ["eu-west 5% 2m", "eu-west 100% 5m", "us-east 100% 0s"]);
    let gate = policy.gate.as_ref().expect("a gate");
    assert_eq!((gate.applied, gate.failed_at_most), (Share(9_900), Budget { percent: Share(0), number: 3 }));
    assert_eq!((&*policy.name, policy.prepare, policy.windows.len()), ("careful", Prepare::Yes, 1));
    assert_eq!(policy.check(), Ok(()));
}

#[test]
fn short_names_are_spread_over_the_regions_in_the_order_of_the_file() {
    assert_eq!(policy("all-at-once", ""), None);
    let table = [
        ("canary", vec!["* 1% 5m", "* 100% 2m"]),
        (
            "careful",
            vec![
                "eu-west 5% 2m",
                "eu-west 50% 2m",
                "eu-west 100% 5m",
                "us-east ap-south 25% 2m",
                "us-east ap-south 100% 2m",
            ],
        ),
        ("region-by-region", vec!["eu-west 100% 5m", "us-east 100% 5m", "ap-south 100% 5m"]),
    ];
    for (name, expected) in table {
        let policy = policy(name, "").expect(name);
        assert_eq!(waves(&policy), expected);
        assert_eq!((&*policy.name, &policy.gate, policy.check()), (name, &Some(defaults::gate()), Ok(())));
    }
    let careful = ShortName::Careful.policy(&["eu".parse().expect("a name")]).expect("a policy");
    assert_eq!(waves(&careful), ["eu 5% 2m", "eu 50% 2m", "eu 100% 5m"]);
}

#[test]
fn a_definition_takes_the_place_of_a_short_name() {
    let section =
        "rollouts: { all-at-once: { waves: [ { share: 100% } ] }, careful: { waves: [ { share: 100% } ] } }\n";
    assert_eq!(waves(&policy("careful", section).expect("a policy")), ["* 100% 0s"]);
    assert!(policy("all-at-once", section).is_some());
    assert_eq!(policy("canary", section), ShortName::Canary.policy(&regions()));
}

fn regions() -> Vec<schema::Region> {
    ["eu-west", "us-east", "ap-south"].map(|name| name.parse().expect("a name")).to_vec()
}

#[test]
fn what_a_policy_does_not_say_has_a_usual_value() {
    let usual = own("waves: [ { share: 100% } ]");
    assert_eq!(
        (usual.prepare, usual.on_failure, usual.reverts, usual.newer, usual.confirm_within),
        (Prepare::Yes, OnFailure::Rollback, schema::rollout::Reverts::AtOnce, Newer::Supersede, None)
    );
    assert_eq!((usual.gate, usual.quarantine), (Some(defaults::gate()), defaults::QUARANTINE));
    assert_eq!((usual.spread.0, usual.live_within), (Duration::ZERO, defaults::LIVE_WITHIN));
}

#[test]
fn everything_can_be_said() {
    let policy = own("\
prepare: false
waves:
  - { share: 0.5%, labels: { tier: canary }, soak: 1h 30m }
  - { share: 100%, labels: { tier: canary } }
  - { regions: [us-east, ap-south], share: 12.25% }
  - { regions: [\"*\"], share: 100%, soak: 1m }
gate: { applied: 95.5%, failed_at_most: { percent: 2%, number: 5 }, within: 20m, checks: [errors, smoke] }
on_failure: pause
windows: [ { cron: \"0 0 9 * * Mon-Fri\", for: 8h, tz: Europe/Berlin } ]
freezes: [ { cron: \"0 0 0 20 Dec *\", for: 14d, tz: UTC } ]
spread: 30s
confirm_within: 3h
quarantine: { after: 5, at_most: 10% }
reverts: waves
newer: wait
live_within: 5m");
    assert_eq!(
        waves(&policy),
        ["* tier=canary 0.50% 1h 30m", "* tier=canary 100% 0s", "us-east ap-south 12.25% 0s", "* 100% 1m"]
    );
    let gate = policy.gate.as_ref().expect("a gate");
    assert_eq!((gate.applied, gate.failed_at_most), (Share(9_550), Budget { percent: Share(200), number: 5 }));
    assert_eq!(gate.checks, ["errors".into(), "smoke".into()]);
    assert_eq!((policy.prepare, policy.on_failure, policy.newer), (Prepare::No, OnFailure::Pause, Newer::Wait));
    assert_eq!((policy.spread_s(), policy.confirm_within_s()), (30, 10_800));
    let at_most = Budget { percent: Share(1_000), number: 1 };
    assert_eq!(policy.quarantine, QuarantineRule { after: 5, at_most });
    assert_eq!((policy.freezes.len(), policy.reverts), (1, schema::rollout::Reverts::Waves));
    assert_eq!(policy.live_within.0, Duration::from_secs(300));

    let timed = own("gate: none\nwaves: [ { share: 10%, soak: 1h }, { share: 100% } ]");
    assert_eq!((timed.gate, timed.prepare), (None, Prepare::No));
    let nobody = own("waves: [ { share: 100% } ]\ngate: { failed_at_most: 0% }\nquarantine: { at_most: 0 }");
    let none = Budget { percent: Share(0), number: 0 };
    assert_eq!((nobody.gate.expect("a gate").failed_at_most, nobody.quarantine.at_most), (none, none));
}

#[test]
fn a_star_means_those_that_have_somebody_left() {
    let lines = "waves:\n  - { regions: [us-east], share: 25% }\n  - { share: 25% }\n  - { regions: [us-east], share: 100% }\n  - { share: 100% }";
    assert_eq!(
        waves(&own(lines)),
        ["us-east 25% 0s", "eu-west ap-south 25% 0s", "us-east 100% 0s", "eu-west ap-south 100% 0s"]
    );
    let lines = "waves:\n  - { regions: [us-east], share: 100% }\n  - { share: 25% }\n  - { share: 100% }";
    assert_eq!(waves(&own(lines)), ["us-east 100% 0s", "eu-west ap-south 25% 0s", "eu-west ap-south 100% 0s"]);
    // A labelled wave of those who are all in already.
    let lines =
        "waves:\n  - { regions: [us-east], share: 50% }\n  - { share: 50%, labels: { a: b } }\n  - { share: 100% }";
    assert_eq!(waves(&own(lines)), ["us-east 50% 0s", "eu-west ap-south a=b 50% 0s", "* 100% 0s"]);
}

/// The one problem of a policy with these lines.
fn problem(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    let text = format!("{REGIONS}  a: {{ path: a }}\nrollouts:\n  own:\n{lines}");
    let mut told = problems(&text);
    assert_eq!(told.len(), 1, "{text}\n{told:?}");
    told.remove(0)
}

#[test]
fn mistakes_in_waves_are_told_with_their_place() {
    let table = [
        ("waves: []", "9:12: there are no waves"),
        (
            "waves: [ { regions: [eu-wset], share: 100% } ]",
            "9:26: there is no region `eu-wset`; did you mean `eu-west`?",
        ),
        ("waves: [ { regions: [moon], share: 100% } ]", "9:26: there is no region `moon`"),
        ("waves: [ { regions: [], share: 100% } ]", "9:25: this wave has no regions"),
        (
            "waves: [ { regions: [\"*\", eu-west], share: 100% } ]",
            "9:26: `*` stands for all regions, so it stands alone",
        ),
        ("waves: [ { regions: [eu-west, eu-west], share: 100% } ]", "9:35: `eu-west` is there twice"),
        ("waves: [ { share: 0% } ]", "9:23: a wave of 0% reaches nobody"),
        ("waves: [ { share: 101% } ]", "9:23: a share is written like 5%"),
        ("waves: [ { share: 0.001% } ]", "9:23: a share is written like 5%"),
        ("waves: [ { share: -5% } ]", "9:23: a share is written like 5%"),
        (
            "waves: [ { share: 5 } ]",
            "9:23: a share is written like 5%, 0.5% or 100%, with two decimals and 100% at most; did you mean `5%`?",
        ),
        ("waves: [ { share: 0.5 } ]", "did you mean `0.5%`?"),
        ("waves: [ { soak: 2m } ]", "missing field"),
        ("waves: [ { share: 100%, soak: soon } ]", "9:35: `soon` is not a length of time"),
        ("waves: [ { share: 100%, sook: 2m } ]", "9:29: unknown field `sook`"),
        (
            "waves: [ { share: 100% }, { regions: [eu-west], share: 100% } ]",
            "9:43: everyone in `eu-west` is in an earlier wave",
        ),
        ("waves: [ { share: 100% }, { share: 100% } ]", "9:31: this wave reaches nobody new in any region"),
        (
            "waves: [ { share: 50% }, { share: 25% }, { share: 100% } ]",
            "9:39: 25% of `eu-west` is nobody new after 50%",
        ),
        (
            "waves:\n  - { regions: [us-east], share: 50% }\n  - { share: 25% }\n  - { share: 100% }",
            "11:18: 25% of `us-east` is nobody new after 50% in an earlier wave: shares of a region grow; name the other regions",
        ),
        (
            "waves:\n  - { regions: [us-east], share: 50% }\n  - { regions: [us-east], share: 50%, labels: { a: b } }\n  - { share: 100% }",
            "11:38: 50% of `us-east` is nobody new after 50%",
        ),
        (
            "waves: [ { regions: [eu-west], share: 100% }, { share: 50% } ]",
            "9:12: not everyone in us-east, ap-south is ever reached; end with `{ regions: [us-east, ap-south], share: 100% }`",
        ),
        ("waves: [ { share: 100%, labels: { tier: canary } } ]", "9:12: not everyone in eu-west, us-east, ap-south"),
        (
            "gate: none\nwaves: [ { share: 5% }, { share: 100% } ]",
            "10:14: without a gate time alone leads to the next wave",
        ),
    ];
    for (lines, wanted) in table {
        let told = problem(lines);
        assert!(told.contains(wanted), "{lines}\n{told}\nwanted {wanted}");
    }
}

#[test]
fn mistakes_in_a_policy_are_told_with_their_place() {
    let table = [
        ("gate: maybe", "10:11: a gate is `none`, or rules like"),
        ("gate:", "expected `none`, or rules like"),
        ("gate: { applied: 0% }", "10:11: a gate that asks for nobody is none"),
        ("gate: { aplied: 99% }", "10:13: unknown field `aplied`"),
        ("gate: { failed_at_most: some }", "10:29: a share is written like 5%"),
        ("gate: { failed_at_most: { percent: 1% } }", "missing field"),
        ("gate: { failed_at_most: -1 }", "expected a number, a share like 1%"),
        ("gate: { checks: [errors, errors] }", "10:11: the check `errors` is there twice"),
        ("gate: { checks: [\"a b\"] }", "10:11: `a b` is not the name of a check"),
        ("gate: { within: 30s }\nspread: 30s", "10:11: `within` (30s) is not longer than `spread` (30s)"),
        ("gate: none\nprepare: true", "11:14: with `gate: none` nobody is asked whether agents are ready"),
        ("on_failure: retry", "10:17: unknown variant `retry`"),
        ("windows: [ { cron: \"0 9 * * Mon\", for: 8h, tz: UTC } ]", "10:24: `0 9 * * Mon` has 5 fields"),
        (
            "windows: [ { cron: \"0 0 9 * * 1-5\", for: 8h, tz: UTC } ]",
            "10:24: `0 0 9 * * 1-5` has a weekday as a number",
        ),
        ("windows: [ { cron: \"0 0 9 31 Feb *\", for: 8h, tz: UTC } ]", "10:24: `0 0 9 31 Feb *` names no day"),
        ("windows: [ { cron: \"@daily\", for: 0s, tz: UTC } ]", "10:39: it has to last a second at least"),
        ("freezes: [ { cron: \"@daily\", for: 1h, tz: Berlin } ]", "10:47: `Berlin` is not a time zone"),
        ("freezes: [ { cron: \"@daily\", for: 1h } ]", "missing field"),
        ("spread: 5m\nconfirm_within: 1m", "11:21: `confirm_within` (1m) is shorter than `spread` (5m)"),
        ("confirm_within: 0s", "10:21: `confirm_within` (0s) is shorter than"),
        ("confirm_within: 2m\nspread: 1m", "not longer than `spread` (1m) and the longest soak (1m)"),
        ("quarantine: { after: 3, atmost: 5% }", "10:29: unknown field `atmost`"),
        ("reverts: at_once", "10:14: unknown variant `at_once`, expected one of at-once, waves"),
        ("newer: later", "10:12: unknown variant `later`"),
        ("live_within: 0s", "10:18: `live_within` is a second at least"),
        ("prepare: yes", "10:14: invalid boolean"),
        ("spread:", "10:11: cannot deserialize null"),
        ("canary: true", "10:5: unknown field `canary`"),
    ];
    for (lines, wanted) in table {
        let told = problem(&format!("waves: [ {{ share: 10%, soak: 1m }}, {{ share: 100% }} ]\n{lines}"));
        assert!(told.contains(wanted), "{lines}\n{told}\nwanted {wanted}");
    }
}

#[test]
fn mistakes_in_names_are_told_with_their_place() {
    let app = |rollout: &str| format!("{REGIONS}  a: {{ path: a, rollout: {rollout} }}\n");
    let good = "rollouts: { slow: { waves: [ { share: 100% } ] } }\n";
    let table = [
        (
            app("carefull"),
            "6:26: there is no rollout `carefull` in `rollouts`, and it is no short name; did you mean `careful`?",
        ),
        (app("slwo") + good, "did you mean `slow`?"),
        (app("Fast & loose"), "there is no rollout `Fast & loose`"),
        (app("") + good, "6:"),
        (app("slow") + "rollouts:\n", "7:"),
        (
            app("canary") + "rollouts: { Slow: { waves: [ { share: 100% } ] } }\n",
            "7:13: `Slow` is not a name for a rollout",
        ),
        (app("canary") + "rollouts: { a: { waves: [ { share: 100% } ] }, a: {} }\n", "duplicate"),
        // One that is wrong is told once, and not again by the app that names it.
        (app("slow") + "rollouts: { slow: { waves: [] } }\n", "7:28: there are no waves"),
    ];
    for (text, wanted) in table {
        let told = problems(&text);
        assert!(told.len() == 1 && told[0].contains(wanted), "{text}\n{told:?}\nwanted {wanted}");
    }
}
