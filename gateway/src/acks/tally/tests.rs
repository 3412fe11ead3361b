use proptest::prelude::*;
use schema::ack::Step;

use super::*;

const ISSUED: Timestamp = Timestamp::UNIX_EPOCH;
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn moment(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

fn ack(agent: &str, generation: u64, outcome: Outcome, at: i64) -> Ack {
    Ack {
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
    }
}

fn tally_of<'a>(acks: impl IntoIterator<Item = &'a Ack>) -> Tally {
    let mut tally = Tally::default();
    for ack in acks {
        tally.record(ack, Some(ISSUED), NOW);
    }
    tally
}

/// What the summary should be, counted the slow way: each agent's newest word, and nothing else.
fn counted_slowly(acks: &[Ack]) -> RegionSummary {
    let mut newest: BTreeMap<&AgentId, &Ack> = BTreeMap::new();
    for ack in acks {
        let known = newest.entry(&ack.agent).or_insert(ack);
        let (word, known_word) = (Word::of(ack, Some(ISSUED), NOW), Word::of(known, Some(ISSUED), NOW));
        if word.newness() > known_word.newness() {
            *known = ack;
        }
    }
    tally_of(newest.into_values()).summary()
}

fn any_ack() -> impl Strategy<Value = Ack> {
    let outcome =
        prop_oneof![Just(Outcome::Applied), Just(Outcome::Failed), Just(Outcome::Refused), Just(Outcome::Stale)];
    let reason = prop_oneof![Just(None), Just(Some("disk full")), Just(Some("no"))];
    // Few agents, generations and moments, so that they meet often.
    (0..4u8, 1..4u64, outcome, 0..4i64, reason, 0..2u8).prop_map(|(agent, generation, outcome, at, reason, bundle)| {
        Ack {
            reason: reason.map(Into::into),
            attempted: Digest::of(&[bundle]),
            ..ack(&format!("web-{agent}"), generation, outcome, at * 1000)
        }
    })
}

fn acks_in_two_orders() -> impl Strategy<Value = (Vec<Ack>, Vec<Ack>)> {
    let acks = prop::collection::vec(any_ack(), 0..24);
    acks.prop_flat_map(|acks| {
        let repeated: Vec<Ack> = acks.iter().chain(&acks).cloned().collect();
        (Just(acks), Just(repeated).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn a15_f15_order_and_repetition_change_nothing((acks, shuffled) in acks_in_two_orders()) {
        let expected = tally_of(&acks).summary();
        prop_assert_eq!(&tally_of(&shuffled).summary(), &expected);
        prop_assert_eq!(&counted_slowly(&acks), &expected);
    }
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
    assert_eq!(tally.record(&said, None, NOW), Recorded::First);
    assert_eq!(tally.record(&said, None, NOW), Recorded::Known);
    assert_eq!(tally.record(&ack("web-1", 1, Outcome::Applied, 900), None, NOW), Recorded::Known);
    assert_eq!(tally.record(&ack("web-1", 3, Outcome::Applied, 100), None, NOW), Recorded::Newer);
    assert_eq!(tally.known(), 1);
}

#[test]
fn a_time_before_the_signing_measures_nothing() {
    let mut tally = Tally::default();
    tally.record(&ack("web-1", 2, Outcome::Applied, 500), Some(moment(400)), NOW);
    let summary = tally.summary();
    assert_eq!(summary.generations[0].notified_ms.count, 0);
    assert_eq!(summary.generations[0].applied_ms.max_ms, 100);
}

#[test]
fn the_worst_are_the_newest_and_their_number_is_bounded() {
    let acks: Vec<Ack> = (0..50).map(|n| ack(&format!("web-{n}"), 2, Outcome::Failed, 1000 + n)).collect();
    let worst = tally_of(&acks).summary().worst;
    assert_eq!(worst.len(), RegionSummary::WORST_MAX);
    assert_eq!(worst[0].agent.as_str(), "web-49");
}

#[test]
fn a46_a_long_reason_is_cut_and_many_generations_are_not_listed() {
    let mut long = ack("web-1", 1, Outcome::Failed, 1);
    long.reason = Some("x".repeat(100_000).into());
    assert_eq!(tally_of([&long]).summary().worst[0].reason.as_deref().map(str::len), Some(REASON_MAX));
    let spread: Vec<Ack> = (1..100).map(|n| ack(&format!("web-{n}"), n, Outcome::Applied, 1)).collect();
    let summary = tally_of(&spread).summary();
    assert_eq!((summary.known, summary.generations.len()), (99, GENERATIONS_MAX));
    assert_eq!(summary.generations[0].generation, Generation::new(99));
}

#[test]
fn only_those_who_fell_silent_behind_are_forgotten() {
    let mut tally = Tally::default();
    tally.record(&ack("gone", 1, Outcome::Failed, 1), None, moment(10));
    tally.record(&ack("current", 2, Outcome::Applied, 1), None, moment(10));
    tally.record(&ack("behind", 1, Outcome::Applied, 1), None, moment(10));
    tally.record(&ack("behind", 1, Outcome::Applied, 1), None, moment(30));
    tally.forget_silent(moment(20), (Epoch::FIRST, Generation::new(2)));
    assert!(tally.knows(&"current".parse().expect("an agent")) && tally.knows(&"behind".parse().expect("an agent")));
    let summary = tally.summary();
    assert_eq!((summary.known, summary.worst.len()), (2, 0));
}
