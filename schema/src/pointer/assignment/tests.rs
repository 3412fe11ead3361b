use proptest::prelude::*;

use super::*;
use crate::order::{Epoch, Generation, Serial};
use crate::pointer::Selector;

fn target(name: &str) -> Target {
    Target { digest: Digest::of(name.as_bytes()), manifest: Digest::of(name.as_bytes()) }
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_unix_millis(1_800_000_000_000).after(Duration::from_secs(second))
}

fn slice(share: u16) -> Slice {
    Slice { share, when: Selector::default(), not_before: None, confirmed: false }
}

fn candidate(slice: Slice) -> Candidate {
    Candidate {
        target: target("candidate"),
        phase: Phase::Activate,
        slice,
        salt: "s".into(),
        spread_s: 0,
        confirm_within_s: 0,
        also: Vec::new(),
    }
}

fn pointer(candidate: Option<Candidate>) -> Pointer {
    Pointer {
        app: "web".parse().expect("an app"),
        region: "eu".parse().expect("a region"),
        epoch: Epoch::new(1),
        generation: Generation::FIRST,
        serial: Serial::FIRST,
        issued: at(0),
        expires: at(100_000),
        prev: None,
        trace: None,
        commit: "5b1e000000000000000000000000000000000000".parse().expect("a commit"),
        stable: target("stable"),
        candidate,
        quarantine: Vec::new(),
        freeze: false,
        withdrawn: Vec::new(),
        cause: None,
    }
}

fn labels(tier: &str) -> BTreeMap<Label, Label> {
    [("tier".parse().expect("a label"), tier.parse().expect("a label"))].into()
}

/// What host number `host` does, without labels.
fn assigned(pointer: &Pointer, host: u32, now: Timestamp) -> Assignment {
    let agent: AgentId = format!("web-{host:04}").parse().expect("a name");
    pointer.assignment(Member { agent: &agent, labels: &BTreeMap::new() }, now)
}

fn takes_it(pointer: &Pointer, host: u32, now: Timestamp) -> bool {
    matches!(assigned(pointer, host, now).run, Run::Candidate { .. })
}

const STABLE: fn() -> Assignment = || Assignment { run: Run::Stable(target("stable")), ready: None, until: None };

#[test]
fn a_share_is_about_that_many_agents_and_a_larger_one_contains_it() {
    let mut before = Vec::new();
    for share in [0, 500, 2_500, 9_999, FULL_SHARE] {
        let pointer = pointer(Some(candidate(slice(share))));
        let taking: Vec<u32> = (0..2_000).filter(|host| takes_it(&pointer, *host, at(1))).collect();
        let wanted = usize::from(share) * 2_000 / usize::from(FULL_SHARE);
        assert!(taking.len().abs_diff(wanted) < 100, "{share}: {} of 2000", taking.len());
        assert!(before.iter().all(|host| taking.contains(host)), "{share} contains what was before");
        before = taking;
    }
    assert_eq!(before.len(), 2_000, "a full share is everyone");
}

#[test]
fn a_slot_is_the_same_for_ever() {
    // Pinned: a rollout that is under way while programs are updated must not change whom it means.
    let slots = ["web-0001", "web-0002", "db.eu"].map(|agent| slot("s", &agent.parse().expect("a name")));
    assert_eq!(slots, PINNED);
    assert_ne!(slot("another", &"web-0001".parse().expect("a name")), PINNED[0]);
}

/// As `printf "slot\0s\0web-0001" | sha256sum` says: the first sixteen digits, modulo 10,000.
const PINNED: [u16; 3] = [2_241, 1_155, 4_684];

#[test]
fn labels_narrow_a_wave_and_earlier_waves_stay() {
    let mut narrow = candidate(Slice { when: Selector { labels: labels("canary") }, ..slice(FULL_SHARE) });
    let agent = "web-0001".parse().expect("a name");
    let run = |candidate: &Candidate, labels: &BTreeMap<Label, Label>| {
        pointer(Some(candidate.clone())).assignment(Member { agent: &agent, labels }, at(1)).run
    };
    let takes = Run::Candidate { target: target("candidate"), confirm_within: None };
    assert_eq!(run(&narrow, &labels("canary")), takes);
    assert_eq!(run(&narrow, &labels("gold")), Run::Stable(target("stable")));
    assert_eq!(run(&narrow, &BTreeMap::new()), Run::Stable(target("stable")));
    // The next wave means nobody by its share, but those of the wave before stay.
    let earlier = std::mem::replace(&mut narrow.slice, slice(0));
    narrow.also.push(earlier);
    assert_eq!(run(&narrow, &labels("canary")), takes);
}

#[test]
fn freeze_comes_before_quarantine_and_quarantine_before_the_candidate() {
    let everyone = candidate(slice(FULL_SHARE));
    let quarantined = Pointer { quarantine: vec!["web-0001".parse().expect("a name")], ..pointer(Some(everyone)) };
    let stays = Assignment { run: Run::Stay, ready: Some(target("stable")), until: None };
    assert_eq!(assigned(&quarantined, 1, at(1)), stays);
    assert!(takes_it(&quarantined, 2, at(1)));
    let frozen = Pointer { freeze: true, ..quarantined };
    for host in [1, 2] {
        assert_eq!(assigned(&frozen, host, at(1)), Assignment { ready: None, ..stays });
    }
}

#[test]
fn preparing_is_running_what_is_stable() {
    let prepare = Candidate { phase: Phase::Prepare, spread_s: 600, ..candidate(slice(FULL_SHARE)) };
    let wanted = Assignment { ready: Some(target("candidate")), ..STABLE() };
    assert_eq!(assigned(&pointer(Some(prepare)), 1, at(1)), wanted);
}

#[test]
fn a_slice_waits_for_its_time_and_then_for_each_agents_turn() {
    let mut timed = candidate(Slice { not_before: Some(at(100)), ..slice(FULL_SHARE) });
    timed.spread_s = 50;
    let pointer = pointer(Some(timed));
    let turns: Vec<u64> = (0..200)
        .map(|host| {
            let until = assigned(&pointer, host, at(0)).until.expect("its turn comes");
            assert!(!takes_it(&pointer, host, at(99)) && takes_it(&pointer, host, until), "host {host}");
            assert!(assigned(&pointer, host, until).until.is_none());
            until.since(at(100)).as_millis() as u64
        })
        .collect();
    assert!(turns.iter().all(|turn| *turn <= 50_000));
    // A quarter of the time, about a quarter of the agents.
    let early = turns.iter().filter(|turn| **turn < 12_500).count();
    assert!((30..70).contains(&early), "{early} of 200 in the first quarter");
}

#[test]
fn a_timed_plan_goes_on_by_itself() {
    let mut plan = candidate(Slice { not_before: Some(at(10)), ..slice(1_000) });
    plan.also = vec![
        Slice { not_before: Some(at(20)), ..slice(5_000) },
        Slice { not_before: Some(at(30)), ..slice(FULL_SHARE) },
    ];
    let pointer = pointer(Some(plan));
    let taking = |second| (0..1_000).filter(|host| takes_it(&pointer, *host, at(second))).count();
    assert_eq!(taking(9), 0);
    assert!((60..140).contains(&taking(10)) && (430..570).contains(&taking(20)));
    assert_eq!(taking(30), 1_000);
    // Whoever is not in the first step asks again when the second comes.
    let last = (0..1_000).find(|host| !takes_it(&pointer, *host, at(20))).expect("half of them");
    assert_eq!(assigned(&pointer, last, at(12)).until, Some(at(30)));
}

#[test]
fn confirmed_slices_stay_for_good() {
    let mut trial = candidate(slice(FULL_SHARE));
    trial.confirm_within_s = 60;
    let within = |candidate: &Candidate, host| match assigned(&pointer(Some(candidate.clone())), host, at(1)).run {
        Run::Candidate { confirm_within, .. } => confirm_within,
        other => panic!("{other:?}"),
    };
    assert_eq!(within(&trial, 1), Some(Duration::from_secs(60)));
    trial.also.push(Slice { confirmed: true, ..slice(5_000) });
    let (confirmed, open): (Vec<u32>, Vec<u32>) = (0..100).partition(|host| within(&trial, *host).is_none());
    assert!(confirmed.len() > 30 && open.len() > 30);
}

proptest! {
    /// What agents do is a question of the plan alone: time only ever adds agents.
    #[test]
    fn nobody_leaves_a_candidate_because_time_passes(
        share in 0u16..=FULL_SHARE, later in 0u16..=FULL_SHARE, spread in 0u32..100, from in 0u64..200, to in 0u64..200, host in 0u32..10_000,
    ) {
        let mut plan = candidate(Slice { not_before: Some(at(20)), ..slice(share) });
        plan.spread_s = spread;
        plan.also = vec![Slice { not_before: Some(at(90)), ..slice(later) }];
        let pointer = pointer(Some(plan));
        let (first, second) = (from.min(to), from.max(to));
        prop_assert!(!takes_it(&pointer, host, at(first)) || takes_it(&pointer, host, at(second)));
        // And whoever is told when to ask again is not served earlier.
        if let Some(until) = assigned(&pointer, host, at(first)).until {
            prop_assert!(until > at(first));
        }
    }
}
