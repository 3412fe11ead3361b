use proptest::prelude::*;
use schema::ack::{Active, Boot, SignedAck, Step};
use schema::name::Label;
use schema::{Ack, Digest};

use super::super::word::REASON_MAX;
use super::*;

const ISSUED: Timestamp = Timestamp::UNIX_EPOCH;
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

/// Said in the agent's first run, the later the higher it is counted.
fn ack(agent: &str, generation: u64, outcome: Outcome, at: i64) -> SignedAck {
    let n = u64::try_from(at).expect("a moment after the start");
    let ack = Ack {
        agent: agent.parse().expect("an agent"),
        app: "edge-proxy".parse().expect("an app"),
        region: "eu-west".parse().expect("a region"),
        epoch: Epoch::FIRST,
        generation: Generation::new(generation),
        attempted: Digest::of(&generation.to_be_bytes()),
        outcome,
        active: None,
        previous: None,
        notified_at: moment(at / 2),
        at: moment(at),
        bundle_bytes: 0,
        step: (outcome != Outcome::Applied).then_some(Step::Check),
        reason: (outcome != Outcome::Applied).then(|| "disk full".into()),
        labels: BTreeMap::new(),
        failures: 0,
    };
    SignedAck { boot: Boot::new(1), n, ack }
}

fn tally_of<'a>(acks: impl IntoIterator<Item = &'a SignedAck>) -> Tally {
    let mut tally = Tally::default();
    for ack in acks {
        record(&mut tally, ack, Some(ISSUED), NOW);
    }
    tally
}

fn record(tally: &mut Tally, ack: &SignedAck, issued: Option<Timestamp>, now: Timestamp) -> Recorded {
    tally.record(Word::of(ack, issued), now, Came::Directly)
}

/// All that gates would see.
fn reports_of(tally: &Tally) -> BTreeMap<AgentId, schema::AgentReport> {
    tally.newest().map(|(word, heard)| (word.agent().clone(), word.report(heard))).collect()
}

/// What the summary should be, worked out the slow way: each agent's newest word, and nothing else.
fn counted_slowly(acks: &[SignedAck]) -> Tally {
    let agents: BTreeSet<&AgentId> = acks.iter().map(|signed| &signed.ack.agent).collect();
    let newest = agents.into_iter().filter_map(|agent| {
        let of_agent = acks.iter().filter(|signed| signed.ack.agent == *agent);
        let generation = of_agent.clone().map(|signed| signed.ack.generation).max();
        let of_generation = of_agent.filter(|signed| Some(signed.ack.generation) == generation);
        let runs: BTreeSet<String> = of_generation.clone().map(|signed| signed.boot.to_string()).collect();
        let last_of_run = |run: &String| {
            let of_run = of_generation.clone().filter(|signed| signed.boot.to_string() == *run);
            of_run.max_by_key(|signed| (signed.n, content(signed)))
        };
        // Between runs the clock decides, and where that is the same, anything that everybody agrees on.
        let last_words = runs.iter().filter_map(last_of_run);
        last_words.max_by_key(|signed| (signed.ack.at, signed.boot.to_string()))
    });
    tally_of(newest)
}

fn content(SignedAck { ack, .. }: &SignedAck) -> impl Ord + use<> {
    let step = ack.step.map(|step| step as u8);
    let active = ack.active.map(|active| active.digest);
    let why = (step, ack.reason.clone(), ack.failures);
    (ack.at, ack.outcome, ack.attempted, why, active, ack.labels.clone(), ack.notified_at)
}

fn any_ack() -> impl Strategy<Value = SignedAck> {
    let outcome = prop::sample::select(vec![
        Outcome::Applied,
        Outcome::Failed,
        Outcome::Refused,
        Outcome::Stale,
        Outcome::Prepared,
        Outcome::Unprepared,
    ]);
    let labels = prop::collection::btree_map(Just("rack".parse().expect("a label")), rack(), 0..2);
    let about_it = (0..2u32, prop::option::of(0..2u8), labels);
    let reason = prop_oneof![Just(None), Just(Some("disk full")), Just(Some("no"))];
    let run = (0..3u128, 0..4u64);
    // Few agents, generations, runs and moments, so that they meet often; clocks go back and forth as they like.
    (0..3u8, 1..3u64, outcome, 0..4i64, reason, 0..2u8, run, about_it).prop_map(
        |(agent, generation, outcome, at, reason, bundle, (boot, n), (failures, active, labels))| {
            let mut signed = ack(&format!("web-{agent}"), generation, outcome, at * 1000);
            signed.ack.reason = reason.map(Into::into);
            signed.ack.attempted = Digest::of(&[bundle]);
            (signed.ack.failures, signed.ack.labels) = (failures, labels);
            signed.ack.active = active.map(|bundle| Active {
                digest: Digest::of(&[bundle]),
                epoch: Epoch::FIRST,
                generation: Generation::FIRST,
            });
            SignedAck { boot: Boot::new(boot), n, ..signed }
        },
    )
}

fn rack() -> impl Strategy<Value = Label> {
    prop::sample::select(vec!["a1", "b2"]).prop_map(|rack| rack.parse().expect("a label"))
}

fn acks_in_two_orders() -> impl Strategy<Value = (Vec<SignedAck>, Vec<SignedAck>)> {
    let acks = prop::collection::vec(any_ack(), 0..24);
    acks.prop_flat_map(|acks| {
        let repeated: Vec<SignedAck> = acks.iter().chain(&acks).cloned().collect();
        (Just(acks), Just(repeated).prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a15_f15_order_and_repetition_change_nothing((acks, shuffled) in acks_in_two_orders()) {
        let (expected, shuffled, slowly) = (tally_of(&acks), tally_of(&shuffled), counted_slowly(&acks));
        prop_assert_eq!(&shuffled.summary(), &expected.summary());
        prop_assert_eq!(&slowly.summary(), &expected.summary());
        prop_assert_eq!(&reports_of(&shuffled), &reports_of(&expected));
        prop_assert_eq!(&reports_of(&slowly), &reports_of(&expected));
        prop_assert_eq!(slowly.outcomes(), expected.outcomes());
    }
}

#[test]
fn a15_within_a_run_the_count_decides_and_between_runs_the_clock() {
    let said = |boot, n, at, outcome| SignedAck { boot: Boot::new(boot), n, ..ack("web-1", 1, outcome, at) };
    let outcome = |acks: &[SignedAck]| {
        let group = tally_of(acks).summary().generations.remove(0);
        if group.applied == 1 { Outcome::Applied } else { Outcome::Failed }
    };
    // A clock that was set back within a run.
    let (first, second) = (said(1, 1, 900, Outcome::Failed), said(1, 2, 100, Outcome::Applied));
    assert_eq!(outcome(&[first.clone(), second.clone()]), Outcome::Applied);
    assert_eq!(outcome(&[second.clone(), first.clone()]), Outcome::Applied);
    // Another run, which is older than the first one's first word and newer than its last.
    let other = said(2, 1, 500, Outcome::Failed);
    assert_eq!(outcome(&[first.clone(), other.clone(), second.clone()]), Outcome::Failed);
    assert_eq!(outcome(&[second, other, first]), Outcome::Failed);
}

#[test]
fn an_agent_counts_once_with_its_newest_word() {
    let tally = tally_of(&[
        ack("web-1", 2, Outcome::Failed, 500),
        ack("web-1", 2, Outcome::Applied, 900),
        ack("web-1", 1, Outcome::Applied, 999),
        ack("web-2", 2, Outcome::Applied, 100),
    ]);
    let summary = tally.summary();
    assert_eq!((summary.known, summary.generations.len()), (2, 1));
    assert_eq!(summary.applied(Epoch::FIRST, Generation::new(2)), 2);
    assert_eq!(summary.generations[0].applied_ms.max_ms, 900);
    assert_eq!(summary.generations[0].notified_ms.count, 2);
    assert!(summary.worst.is_empty());
}

#[test]
fn a_repeated_ack_is_known() {
    let mut tally = Tally::default();
    let said = ack("web-1", 2, Outcome::Failed, 500);
    assert_eq!(record(&mut tally, &said, None, NOW), Recorded::First);
    assert_eq!(record(&mut tally, &said, None, NOW), Recorded::Known);
    assert_eq!(record(&mut tally, &ack("web-1", 1, Outcome::Applied, 900), None, NOW), Recorded::Known);
    assert_eq!(record(&mut tally, &ack("web-1", 3, Outcome::Applied, 100), None, NOW), Recorded::Newer);
    assert_eq!(tally.known(), 1);
}

#[test]
fn a_time_before_the_signing_measures_nothing() {
    let mut tally = Tally::default();
    record(&mut tally, &ack("web-1", 2, Outcome::Applied, 500), Some(moment(400)), NOW);
    let summary = tally.summary();
    assert_eq!(summary.generations[0].notified_ms.count, 0);
    assert_eq!(summary.generations[0].applied_ms.max_ms, 100);
}

#[test]
fn the_worst_are_the_newest_and_their_number_is_bounded() {
    let acks: Vec<SignedAck> = (0..50).map(|n| ack(&format!("web-{n}"), 2, Outcome::Failed, 1000 + n)).collect();
    let worst = tally_of(&acks).summary().worst;
    assert_eq!(worst.len(), RegionSummary::WORST_MAX);
    assert_eq!(worst[0].agent.as_str(), "web-49");
}

#[test]
fn a46_a_long_reason_is_cut_and_many_generations_are_not_listed() {
    let mut long = ack("web-1", 1, Outcome::Failed, 1);
    long.ack.reason = Some("x".repeat(100_000).into());
    let kept = tally_of([&long]).summary().worst.remove(0).reason.expect("a reason");
    assert_eq!(kept.chars().count(), REASON_MAX);
    let spread: Vec<SignedAck> = (1..100).map(|n| ack(&format!("web-{n}"), n, Outcome::Applied, 1)).collect();
    let summary = tally_of(&spread).summary();
    assert_eq!((summary.known, summary.generations.len()), (99, GENERATIONS_MAX));
    assert_eq!(summary.generations[0].generation, Generation::new(99));
}

#[test]
fn only_those_who_fell_silent_behind_are_forgotten() {
    let mut tally = Tally::default();
    record(&mut tally, &ack("gone", 1, Outcome::Failed, 1), None, moment(10));
    record(&mut tally, &ack("current", 2, Outcome::Applied, 1), None, moment(10));
    record(&mut tally, &ack("behind", 1, Outcome::Applied, 1), None, moment(10));
    record(&mut tally, &ack("behind", 1, Outcome::Applied, 1), None, moment(30));
    tally.forget_silent(moment(20), (Epoch::FIRST, Generation::new(2)));
    assert!(tally.knows(&"current".parse().expect("an agent")) && tally.knows(&"behind".parse().expect("an agent")));
    let summary = tally.summary();
    assert_eq!((summary.known, summary.worst.len()), (2, 0));
}

#[test]
fn a_word_said_anew_moves_when_the_agent_was_heard_and_nothing_else() {
    let mut tally = Tally::default();
    let said = ack("web-1", 1, Outcome::Applied, 5);
    let anew = SignedAck { n: said.n + 1, ..said.clone() };
    let after_a_restart = |boot| SignedAck { boot: Boot::new(boot), n: 1, ..said.clone() };
    record(&mut tally, &said, Some(ISSUED), moment(10));
    let before = tally.summary();
    // Of two runs that say the same at the same moment, either may be called the newest: heard is the agent both times.
    for (said, now) in [(anew, 20), (after_a_restart(0), 30), (after_a_restart(9), 40)] {
        assert_eq!(record(&mut tally, &said, Some(ISSUED), moment(now)), Recorded::Again);
        assert_eq!(tally.newest().map(|(_, heard)| heard).collect::<Vec<_>>(), [moment(now)]);
    }
    assert_eq!(tally.summary(), before);
    assert_eq!(tally.words(&said.ack.agent).len(), 3);
}

#[test]
fn a45_what_a_gateway_repeats_does_not_keep_an_agent_alive() {
    let mut tally = Tally::default();
    let said = ack("web-1", 1, Outcome::Applied, 5);
    let heard = |tally: &Tally| tally.newest().next().map(|(_, heard)| heard);
    for (came, now, expected) in [(Came::Relayed, 10, 10), (Came::Relayed, 20, 10), (Came::Directly, 30, 30)] {
        tally.record(Word::of(&said, None), moment(now), came);
        assert_eq!(heard(&tally), Some(moment(expected)));
    }
}

#[test]
fn who_is_ready_for_a_candidate_is_well_and_who_cannot_be_is_not() {
    let ready = ack("web-1", 2, Outcome::Prepared, 5);
    let unready = SignedAck { n: 9, ..ack("web-2", 2, Outcome::Unprepared, 5) };
    let tally = tally_of(&[ready, unready, ack("web-3", 2, Outcome::Applied, 5)]);
    let summary = tally.summary();
    let counted = &summary.generations[0];
    assert_eq!((counted.applied, counted.prepared, counted.unprepared), (1, 1, 1));
    assert_eq!(summary.worst.iter().map(|worst| worst.agent.as_str()).collect::<Vec<_>>(), ["web-2"]);
    let expected = [(Outcome::Applied, 1), (Outcome::Prepared, 1), (Outcome::Unprepared, 1)];
    assert_eq!(tally.outcomes(), BTreeMap::from(expected));
}
