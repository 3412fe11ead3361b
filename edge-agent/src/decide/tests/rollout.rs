//! What is decided about candidates, where one case says more than a whole history in `model.rs`.

use schema::pointer::{Candidate, FULL_SHARE, Phase, Slice};

use super::*;
use crate::journal::Held;

fn candidate(generation: u64, change: impl FnOnce(&mut Candidate)) -> Verified<Pointer> {
    let slice = Slice { share: FULL_SHARE, when: Default::default(), not_before: None, confirmed: false };
    let (target, phase) = (target(2), Phase::Activate);
    let mut candidate =
        Candidate { target, phase, slice, salt: "s".into(), spread_s: 0, confirm_within_s: 0, also: Vec::new() };
    change(&mut candidate);
    pointer(generation, 1, |pointer| pointer.candidate = Some(candidate))
}

fn on_trial(generation: u64) -> Verified<Pointer> {
    candidate(generation, |candidate| candidate.confirm_within_s = 10)
}

fn within() -> Length {
    Length(Duration::from_secs(10))
}

/// Bundle 2 runs on trial since second 2, as generation 2, and its pointer is in hand.
fn trying() -> Host {
    let begun = Intent { confirm_within: Some(within()), ..intent(2, 2, Some(1)) };
    let records = [
        Record::Intent(begun),
        Record::Applied(applied(begun)),
        Record::Outcome { ack: ack(2, 2, Outcome::Applied, None) },
    ];
    Host::settled().journaled(records).running(2).told(on_trial(2))
}

fn unconfirmed(generation: u64) -> Bad {
    let begun = Intent { confirm_within: Some(within()), ..intent(2, 2, Some(1)) };
    let about = Intent { order: order(generation), ..begun };
    Bad { applied: applied(about), step: Step::Confirm, reason: "nobody confirmed it within 10s".into() }
}

#[test]
fn a_trial_is_tried_and_wakes_the_keeper_when_its_time_is_over() {
    assert_eq!(Host::settled().told(on_trial(2)).next(), Next::Try(target(2), Source::Store, within()));
    let host = trying().at(9);
    assert_eq!((host.next(), host.asks(again_in)), (Next::Nothing, Some(Duration::from_secs(3))));
    let over = trying().at(12);
    assert_eq!((over.next(), over.asks(again_in)), (Next::GiveUp(unconfirmed(2)), None));
}

#[test]
fn f11_a_clock_that_was_set_back_makes_no_trial_longer() {
    let watched = |watched| Host { watched, ..trying().at(0) };
    assert_eq!(watched(9).next(), Next::Nothing);
    assert_eq!(watched(10).next(), Next::GiveUp(unconfirmed(2)));
}

#[test]
fn a_trial_ends_although_nobody_gives_a_pointer_or_an_expired_one() {
    assert_eq!(trying().forgetting().at(11).next(), Next::Hold(Hold::NoPointer));
    assert_eq!(trying().forgetting().at(12).next(), Next::GiveUp(unconfirmed(2)));
    assert_eq!(trying().at(5000).next(), Next::GiveUp(unconfirmed(2)));
}

#[test]
fn a_trial_is_about_the_newest_generation_that_was_answered_and_newer_ones_give_it_no_more_time() {
    let host = trying().journaled([Record::Outcome { ack: ack(3, 2, Outcome::Applied, None) }]).told(on_trial(3));
    assert_eq!(host.next(), Next::Nothing);
    assert_eq!(host.at(12).next(), Next::GiveUp(unconfirmed(3)));
}

#[test]
fn what_confirms_a_trial_is_durable_before_it_is_answered() {
    let slice = candidate(3, |candidate| (candidate.confirm_within_s, candidate.slice.confirmed) = (10, true));
    for pointer in [slice, candidate(3, |_| ()), pointer(3, 2, |_| ())] {
        // Also in the very last moment, and after it.
        let host = trying().told(pointer).at(12);
        assert_eq!(host.next(), Next::Confirm(bundle(2)));
        let host = host.journaled([Record::Confirmed { digest: bundle(2) }]);
        assert_eq!(host.next(), Next::Apply(target(2), Source::Running));
        assert_eq!(host.forgetting().at(50).next(), Next::Hold(Hold::NoPointer));
    }
}

#[test]
fn who_is_held_waits_for_no_confirmation_and_wakes_for_none() {
    let frozen = sealed(Pointer { freeze: true, ..(*on_trial(3)).clone() });
    let until = Until { held: Some(Held::Frozen), ..Until::of(&frozen, &agent()) };
    let seen = Record::Seen { seen: schema::Seen::of(&frozen), issued: at(5), until: Some(until) };
    let host = trying().journaled([seen]).told(frozen).at(50);
    assert_eq!((host.next(), host.asks(again_in)), (Next::Hold(Hold::Told), None));
    assert_eq!(host.forgetting().next(), Next::Hold(Hold::NoPointer));
}

#[test]
fn what_went_unconfirmed_is_declined_foreseen_and_taken_once_it_is_confirmed() {
    let failed = Record::Outcome { ack: ack(2, 2, Outcome::Failed, Some(Step::Confirm)) };
    let gone = || trying().journaled([Record::Bad(unconfirmed(2)), failed.clone()]).running(1);
    assert_eq!(gone().next(), Next::Hold(Hold::Bad));
    assert_eq!(gone().told(on_trial(3)).next(), Next::Decline(target(2)));
    let stable_runs = Record::Outcome { ack: ack(3, 1, Outcome::Applied, None) };
    let preparing = gone().journaled([stable_runs]).told(candidate(3, |candidate| candidate.phase = Phase::Prepare));
    assert_eq!(preparing.next(), Next::Foresee(target(2), Step::Confirm));
    for confirmed in [candidate(2, |candidate| candidate.slice.confirmed = true), pointer(3, 2, |_| ())] {
        assert_eq!(gone().told(confirmed).next(), Next::Apply(target(2), Source::Disk));
    }
}

#[test]
fn what_is_declined_on_a_host_that_has_nothing_else_is_not_taken_for_unfinished() {
    let begun = Intent { confirm_within: Some(within()), ..intent(1, 2, None) };
    let gone = Bad { applied: applied(begun), ..unconfirmed(1) };
    let records = [
        Record::Intent(begun),
        Record::Applied(applied(begun)),
        Record::Outcome { ack: ack(1, 2, Outcome::Applied, None) },
        Record::Bad(gone),
        Record::Outcome { ack: ack(1, 2, Outcome::Failed, Some(Step::Confirm)) },
    ];
    let host = Host::new().journaled(records).running(2).told(on_trial(2));
    assert_eq!(host.next(), Next::Decline(target(2)));
    let declined = Record::Outcome { ack: ack(2, 2, Outcome::Failed, Some(Step::Confirm)) };
    assert_eq!(host.journaled([declined]).at(50).next(), Next::Hold(Hold::Bad));
}

#[test]
fn an_agent_waits_for_its_turn_and_a_clock_that_is_set_back_does_not_take_it_away() {
    let timed = || candidate(2, |candidate| candidate.slice.not_before = Some(at(20)));
    let stable_runs = Record::Outcome { ack: ack(2, 1, Outcome::Applied, None) };
    let waiting = Host::settled().journaled([stable_runs]).told(timed()).at(15);
    assert_eq!((waiting.next(), waiting.asks(again_in)), (Next::Nothing, Some(Duration::from_secs(5))));
    let due = waiting.at(20);
    assert_eq!((due.next(), due.asks(again_in)), (Next::Apply(target(2), Source::Store), None));
    let begun = Record::Intent(Intent { decided_at: Some(at(20)), ..intent(2, 2, Some(1)) });
    assert_eq!(due.journaled([begun]).at(3).next(), Next::Apply(target(2), Source::Store));
}

#[test]
fn what_was_got_ready_is_settled_until_somebody_takes_it_away() {
    let answered = |outcome, step| {
        let records = [
            Record::Outcome { ack: ack(2, 1, Outcome::Applied, None) },
            Record::Outcome { ack: ack(2, 2, outcome, step) },
        ];
        Host::settled().journaled(records).told(candidate(2, |candidate| candidate.phase = Phase::Prepare))
    };
    let prepared = answered(Outcome::Prepared, None);
    assert_eq!(prepared.next(), Next::Prepare(target(2), Source::Store));
    assert_eq!(prepared.with_version(2).next(), Next::Nothing);
    assert_eq!(answered(Outcome::Unprepared, Some(Step::Check)).next(), Next::Nothing);
    for step in [Step::Verify, Step::Fetch, Step::Stage, Step::Disk] {
        let next = answered(Outcome::Unprepared, Some(step)).next();
        assert_eq!(next, Next::Prepare(target(2), Source::Store), "{step}");
    }
}

#[test]
fn nobody_falls_back_on_what_nobody_confirmed() {
    let journal = trying().journal;
    assert_eq!(journal.way_back(Some(bundle(2)), &bundle(3)), Some(bundle(1)));
    assert_eq!(journal.way_back(Some(bundle(2)), &bundle(1)), None);
    assert_eq!(journal.way_back(Some(bundle(2)), &bundle(2)), Some(bundle(2)), "nothing is switched");
    assert_eq!(Host::settled().journal.way_back(Some(bundle(1)), &bundle(2)), Some(bundle(1)));
}
