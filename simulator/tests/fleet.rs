//! Whole runs: small fleets, for which one can say what must come out.

use simulator::{Constants, Latency, PolicySource, Report, Scenario, simulate};

fn scenario(agents: u32, regions: u16, topology: &str) -> Scenario {
    Scenario {
        agents,
        regions,
        topology: topology.parse().expect("a topology"),
        policy: named("all-at-once"),
        latency: Latency::default(),
        loss: 0.0,
        commits: 1,
        fail_share: 0.0,
        seed: 7,
        constants: constants(),
    }
}

/// What is built in, but for what is measured anew now and then.
fn constants() -> Constants {
    let mut constants = Constants::built_in();
    constants.publish.value = 300.0;
    constants.patch_bytes.value = 5_522.0;
    constants.whole_bytes.value = 10_909_096.0;
    constants.apply_patch.value = 900.0;
    constants.apply_whole.value = 1_200.0;
    constants
}

fn named(name: &str) -> PolicySource {
    PolicySource::Name(name.into())
}

fn waves(first: u16) -> PolicySource {
    let text = format!(
        "rollouts:\n  mine:\n    waves: [ {{ share: {first}%, soak: 1m }}, {{ share: 60%, soak: 1m }}, {{ share: 100%, soak: 5s }} ]\n    \
         gate: {{ applied: 99%, failed_at_most: 1%, within: 10m }}\n"
    );
    PolicySource::File { path: "waves.yaml".into(), text, name: None }
}

fn run(scenario: &Scenario) -> Report {
    let report = simulate(scenario).expect("a scenario that makes sense");
    let counted: u64 = report.commits.iter().map(|commit| commit.seen.agents).sum();
    assert!(counted > 0, "a run in which nobody sees anything shows nothing");
    report
}

fn sound(scenario: &Scenario) -> Report {
    let report = run(scenario);
    assert!(report.is_sound(), "{:?}", report.rules);
    report
}

fn json(report: &Report) -> String {
    serde_json::to_string(report).expect("a report has string keys")
}

const ALL: [&str; 6] = ["direct", "direct+cdn", "gateways:2", "gateways:2+cdn", "tree:2/2", "tree:2/2+cdn"];

#[test]
fn the_same_seed_gives_the_same_report_and_another_one_does_not() {
    let lossy = Scenario { loss: 0.05, commits: 2, policy: waves(5), ..scenario(300, 3, "tree:2/2") };
    let first = json(&sound(&lossy));
    assert_eq!(first, json(&sound(&lossy)));
    assert_ne!(first, json(&sound(&Scenario { seed: 8, ..lossy })));
}

#[test]
fn without_chance_and_distance_times_are_what_a_formula_says() {
    let mut plain = Scenario { latency: Latency::ZERO, ..scenario(1_000, 1, "gateways:1") };
    plain.constants.notify.value = 100.0;
    plain.constants.request.value = 0.0;
    plain.constants.cores.value = 1.0;
    plain.constants.gateway_line.value = 1e12;
    plain.constants.agent_line.value = 1e12;
    plain.constants.apply_patch.value = 250.0;
    plain.constants.apply_spread.value = 0.0;
    let report = sound(&plain);
    let commit = &report.commits[0];
    // The publication, 5 ms to the publisher's gateway, 0.1 ms to tell the region's, and 0.1 ms for each agent up to the one in question.
    let seen = |number: f64| 300.0 + 5.0 + 0.1 + 0.1 * number;
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 0.011, "{found} is not {expected}");
    for (found, number) in [
        (commit.seen.p50_ms, 500.0),
        (commit.seen.p90_ms, 900.0),
        (commit.seen.p99_ms, 990.0),
        (commit.seen.p999_ms, 999.0),
        (commit.seen.last_ms, 1_000.0),
    ] {
        close(found, seen(number));
    }
    close(commit.applied.p50_ms, seen(500.0) + 250.0);
    close(commit.applied.last_ms, seen(1_000.0) + 250.0);
    assert_eq!((report.patch_hit_share, report.decisions.backoff), (Some(1.0), 0));
    let leaves = report.layers.iter().find(|layer| layer.layer == "gateways").expect("there is one");
    assert_eq!((leaves.transfers["pointers"].times, leaves.transfers["patches"].times), (1_000, 1_000));
    let patches = &plain.constants.patch_bytes;
    assert_eq!(leaves.transfers["patches"].bytes, 1_000 * patches.value as u64);
}

#[test]
fn everybody_is_told_through_whatever_stands_between() {
    for topology in ALL {
        for policy in ["all-at-once", "canary"] {
            let report = sound(&Scenario { policy: named(policy), ..scenario(1_200, 3, topology) });
            let commit = &report.commits[0];
            assert_eq!((commit.seen.agents, commit.applied.agents), (1_200, 1_200), "{topology} {policy}");
            assert!(
                commit.ended.starts_with(if policy == "canary" { "complete" } else { "published" }),
                "{}",
                commit.ended
            );
            // Each generation is pointed once, so nobody is asked twice for the same step.
            assert!(commit.steps.iter().all(|step| step.done.agents <= 1_200), "{topology}: {:?}", commit.steps);
            assert!(report.decisions.decide >= 1_200 && report.decisions.succession >= 1_200, "{topology}");
            assert_eq!(report.layers.iter().any(|layer| layer.layer == "cdn"), topology.contains("cdn"));
        }
    }
}

#[test]
fn who_polls_hears_within_one_and_a_half_periods_and_who_is_parked_at_once() {
    let polled = sound(&scenario(2_000, 2, "direct")).commits[0].seen;
    assert!((4_000.0..7_000.0).contains(&polled.p50_ms) && polled.last_ms < 16_000.0, "{polled:?}");
    let parked = sound(&scenario(2_000, 2, "gateways:1")).commits[0].seen;
    assert!(parked.last_ms < 1_000.0, "{parked:?}");
}

#[test]
fn all_agents_converge_however_much_is_lost() {
    for (topology, loss) in [("direct", 0.3), ("direct+cdn", 0.1), ("gateways:3", 0.3), ("tree:2/2", 0.2)] {
        let lossy = Scenario { loss, commits: 2, ..scenario(600, 2, topology) };
        let report = sound(&lossy);
        assert!(report.commits.iter().all(|commit| commit.applied.agents == 600), "{topology}");
        let calm = sound(&Scenario { loss: 0.0, ..lossy });
        assert!(report.commits[0].seen.last_ms > calm.commits[0].seen.last_ms, "{topology}: nothing was lost");
        assert!(report.decisions.backoff > 0, "{topology}");
    }
}

#[test]
fn a_commit_that_fails_is_stopped_within_the_share_of_its_wave() {
    for topology in ["gateways:2", "tree:1/2", "direct+cdn"] {
        let failing = Scenario { fail_share: 0.4, commits: 2, policy: waves(5), ..scenario(1_000, 2, topology) };
        let report = sound(&failing);
        let [good, bad] = &report.commits[..] else { panic!("two commits") };
        assert_eq!((&*good.ended, good.on), ("complete", 1_000));
        assert!(bad.ended.starts_with("rolled back: wave 1"), "{}", bad.ended);
        assert_eq!(bad.allowed, 50, "5 % of each of two regions");
        assert!(0 < bad.on && bad.on <= bad.allowed, "{} of {}", bad.on, bad.allowed);
    }
    let at_once = sound(&Scenario { fail_share: 0.4, ..scenario(1_000, 2, "gateways:2") });
    assert_eq!(
        (at_once.commits[0].on, at_once.commits[0].allowed),
        (1_000, 1_000),
        "nothing holds back what has no waves"
    );
}

#[test]
fn a_larger_first_wave_never_delays_anyone() {
    let times = |first: u16| {
        let mut scenario =
            Scenario { policy: waves(first), latency: Latency::ZERO, ..scenario(3_000, 2, "gateways:1") };
        scenario.constants.apply_spread.value = 0.0;
        let report = sound(&scenario);
        let commit = &report.commits[0];
        [commit.applied.p50_ms, commit.applied.p90_ms, commit.applied.p99_ms, commit.ended_s * 1000.0]
    };
    let sizes = [1, 5, 25, 50, 55];
    for pair in sizes.map(times).windows(2) {
        for (smaller, larger) in pair[0].iter().zip(&pair[1]) {
            // Whoever gathers words gathers for a moment more or less.
            assert!(*larger <= smaller + 2_000.0, "{larger} ms, not {smaller} ms");
        }
    }
    assert!(times(55)[0] < times(1)[0] + 1.0);
}

#[test]
fn what_has_no_base_for_a_patch_is_fetched_whole() {
    let mut scenario = scenario(200, 1, "gateways:1+cdn");
    scenario.constants.patches.value = 0.0;
    let report = sound(&scenario);
    assert_eq!(report.patch_hit_share, Some(0.0));
    let bytes = |layer: &str| {
        let layer = report.layers.iter().find(|it| it.layer == layer).expect("it is there");
        layer.transfers["wholes"].times
    };
    assert_eq!((bytes("gateways"), bytes("cdn"), bytes("origin")), (200, 1, 1), "each layer asks the one above once");
    let gateways = report.layers.iter().find(|it| it.layer == "gateways").expect("it is there");
    let (manifests, each) = (gateways.transfers["manifests"], scenario.constants.manifest_bytes.value as u64);
    assert_eq!((manifests.times, manifests.bytes), (200, 200 * each), "they come along, without heads of their own");
}

#[test]
fn a_gateway_gets_every_patch_that_is_small_before_anybody_asks() {
    let patches = |bytes: f64| {
        let mut scenario = Scenario { commits: 3, ..scenario(200, 1, "gateways:1+cdn") };
        scenario.constants.patch_bytes.value = bytes;
        let report = sound(&scenario);
        assert_eq!(report.patch_hit_share, Some(1.0));
        let cdn = report.layers.iter().find(|it| it.layer == "cdn").expect("it is there");
        cdn.transfers["patches"].times
    };
    assert_eq!(patches(5_000.0), 1 + 2 + 3, "from each bundle before");
    assert_eq!(patches(70_000.0), 3, "what fits into no answer waits for a question, and everybody has the one before");
}

#[test]
fn agents_that_nobody_confirms_go_back_by_themselves_and_the_rule_holds() {
    let text = "rollouts:\n  trial:\n    waves: [ { share: 10%, soak: 30s }, { share: 100%, soak: 5s } ]\n    confirm_within: 5m\n    spread: 20s\n";
    let policy = PolicySource::File { path: "trial.yaml".into(), text: text.to_owned(), name: None };
    let report = sound(&Scenario { policy, ..scenario(1_000, 2, "gateways:1") });
    let commit = &report.commits[0];
    assert_eq!((&*commit.ended, commit.applied.agents), ("complete", 1_000));
    let wave = commit.steps.iter().find(|step| step.step.starts_with("wave 1")).expect("there is one");
    assert!((10_000.0..25_000.0).contains(&wave.done.last_ms), "the spread is kept to: {wave:?}");
}

#[test]
fn a_scenario_that_makes_no_sense_is_refused() {
    for wrong in [
        Scenario { regions: 0, ..scenario(10, 1, "direct") },
        Scenario { agents: 2, regions: 3, ..scenario(10, 1, "direct") },
        Scenario { loss: 1.0, ..scenario(10, 1, "direct") },
        Scenario { fail_share: f64::NAN, ..scenario(10, 1, "direct") },
        Scenario { policy: named("canery"), ..scenario(10, 1, "direct") },
    ] {
        assert!(simulate(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn ten_thousand_agents_are_no_trouble() {
    let report = sound(&scenario(10_000, 3, "gateways:1"));
    assert_eq!(report.commits[0].applied.agents, 10_000);
    assert!(report.notes.is_empty(), "{:?}", report.notes);
}
