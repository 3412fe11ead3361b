mod rollout;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schema::ack::Step;
use schema::keys::{RoleKeys, SecretKey};
use schema::pointer::Target;
use schema::{Ack, AgentId, Epoch, Serial};

use super::*;
use crate::journal::tests::{ack, at, bundle, order};
use crate::journal::{Record, Until};

static KEY: LazyLock<SecretKey> = LazyLock::new(SecretKey::generate);

pub(super) fn target(number: u64) -> Target {
    Target { digest: bundle(number), manifest: bundle(1000 + number) }
}

/// A pointer from second 0 that expires at second 100.
pub(super) fn pointer(generation: u64, number: u64, change: impl FnOnce(&mut Pointer)) -> Verified<Pointer> {
    let Order { epoch, generation, serial } = order(generation);
    let mut pointer = Pointer {
        app: "edge-proxy".parse().expect("a name"),
        region: "eu-west".parse().expect("a name"),
        epoch,
        generation,
        serial,
        issued: at(0),
        expires: at(100),
        prev: None,
        trace: None,
        commit: "5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e5b1e".parse().expect("an id"),
        stable: target(number),
        candidate: None,
        quarantine: Vec::new(),
        freeze: false,
        withdrawn: Vec::new(),
        cause: None,
    };
    change(&mut pointer);
    sealed(pointer)
}

pub(super) fn sealed(pointer: Pointer) -> Verified<Pointer> {
    Verified::seal(pointer, &[&KEY])
}

/// A trust root, version 1, that expires at that second.
pub(super) fn root(expires: u64) -> TrustRoot {
    let role = RoleKeys::new(1, vec![KEY.public().clone()]).expect("one of one");
    TrustRoot {
        version: 1,
        epoch: Epoch::FIRST,
        issued: at(0),
        expires: at(expires),
        release_floor: 0,
        revoked: Vec::new(),
        root: role.clone(),
        release: role.clone(),
        pointer: role,
        pointer_of_region: Default::default(),
    }
}

pub(super) fn agent() -> AgentId {
    "web-0173".parse().expect("a name")
}

/// A host that a test puts into whatever condition it wants.
struct Host {
    journal: JournalState,
    current: Option<Digest>,
    on_disk: BTreeSet<Digest>,
    pointer: Option<Verified<Pointer>>,
    now: u64,
    watched: u64,
    root_expires: u64,
}

impl Host {
    fn new() -> Host {
        Host {
            journal: JournalState::default(),
            current: None,
            on_disk: BTreeSet::new(),
            pointer: None,
            now: 1,
            watched: 0,
            root_expires: 1000,
        }
    }

    /// Generation 1 with bundle 1 went through, and its pointer is in hand.
    fn settled() -> Host {
        Host::new().running(1).journaled([Record::Outcome { ack: ack(1, 1, Outcome::Applied, None) }]).told(pointer(
            1,
            1,
            |_| (),
        ))
    }

    fn journaled(mut self, records: impl IntoIterator<Item = Record>) -> Host {
        records.into_iter().for_each(|record| self.journal.fold(&record));
        self
    }

    fn running(mut self, number: u64) -> Host {
        self.on_disk.insert(bundle(number));
        Host { current: Some(bundle(number)), ..self }
    }

    fn with_version(mut self, number: u64) -> Host {
        self.on_disk.insert(bundle(number));
        self
    }

    fn told(self, pointer: Verified<Pointer>) -> Host {
        Host { pointer: Some(pointer), ..self }
    }

    /// Started again, and nobody gives a pointer.
    fn forgetting(self) -> Host {
        Host { pointer: None, ..self }
    }

    fn at(self, now: u64) -> Host {
        Host { now, ..self }
    }

    fn next(&self) -> Next {
        self.asks(next)
    }

    fn asks<T>(&self, question: fn(&Situation<'_>) -> T) -> T {
        question(&Situation {
            journal: &self.journal,
            current: self.current,
            on_disk: &self.on_disk,
            pointer: self.pointer.as_ref(),
            root: &root(self.root_expires),
            member: Member { agent: &agent(), labels: &BTreeMap::new() },
            now: at(self.now),
            watched: Duration::from_secs(self.watched),
        })
    }
}

fn seen(generation: u64, expires: Option<u64>) -> Record {
    let seen = schema::Seen { order: order(generation), payload: bundle(1), manifest: bundle(1) };
    let until = expires.map(|expires| Until { expires: at(expires), stable: bundle(1), candidate: None, held: None });
    Record::Seen { seen, issued: at(0), until }
}

fn intent(generation: u64, target: u64, previous: Option<u64>) -> Intent {
    Intent::unrecorded(order(generation), bundle(target), previous.map(bundle), at(1))
}

fn applied(intent: Intent) -> Applied {
    Applied { intent, bundle_bytes: 9, at: at(2) }
}

fn bad(intent: Intent, step: Step) -> Bad {
    Bad { applied: applied(intent), step, reason: "no".into() }
}

#[test]
fn a_bundle_is_fetched_taken_from_the_disk_or_running_already() {
    let newer = || pointer(2, 2, |_| ());
    assert_eq!(Host::new().told(newer()).next(), Next::Apply(target(2), Source::Store));
    assert_eq!(Host::settled().told(newer()).next(), Next::Apply(target(2), Source::Store));
    assert_eq!(Host::settled().with_version(2).told(newer()).next(), Next::Apply(target(2), Source::Disk));
    assert_eq!(Host::settled().told(pointer(2, 1, |_| ())).next(), Next::Apply(target(1), Source::Running));
}

#[test]
fn what_is_settled_is_left_alone_and_a_signing_afresh_changes_nothing() {
    assert_eq!(Host::settled().next(), Next::Nothing);
    let afresh = pointer(1, 1, |pointer| pointer.serial = Serial::new(2));
    assert_eq!(Host::settled().told(afresh).next(), Next::Nothing);
}

#[test]
fn what_somebody_took_away_is_put_back() {
    let gone = Host { current: None, ..Host::settled() };
    assert_eq!(gone.next(), Next::Apply(target(1), Source::Disk));
    let wiped = Host { on_disk: BTreeSet::new(), ..gone };
    assert_eq!(wiped.next(), Next::Apply(target(1), Source::Store));
}

#[test]
fn a27_no_pointer_is_no_reason_to_do_anything() {
    assert_eq!(Host::new().next(), Next::Hold(Hold::NoPointer));
    assert_eq!(Host { pointer: None, ..Host::settled() }.next(), Next::Hold(Hold::NoPointer));
}

#[test]
fn a04_an_expired_pointer_is_reported_once_and_applied_never() {
    let stale = Host::settled().told(pointer(2, 2, |_| ())).with_version(2).at(100);
    assert_eq!(stale.next(), Next::Report(Report::Stale(Stale::Pointer { expires: at(100) })));
    let reported = stale.journaled([Record::Outcome { ack: ack(2, 2, Outcome::Stale, None) }]);
    assert_eq!(reported.next(), Next::Hold(Hold::Stale));
    let afresh = pointer(2, 2, |pointer| (pointer.serial, pointer.expires) = (Serial::new(2), at(200)));
    assert_eq!(reported.told(afresh).next(), Next::Apply(target(2), Source::Disk));
    assert_eq!(Host::settled().at(99).next(), Next::Nothing);
}

#[test]
fn f37_an_expired_root_holds_like_an_expired_pointer() {
    let host = Host { root_expires: 50, ..Host::settled().told(pointer(2, 2, |_| ())) };
    let stale = Stale::Root { version: 1, expires: at(50) };
    assert_eq!(host.at(50).next(), Next::Report(Report::Stale(stale)));
    // With a pointer that only the journal remembers too.
    let remembering = Host { root_expires: 50, ..Host::settled().journaled([seen(1, Some(100))]).forgetting() };
    assert_eq!(remembering.at(50).next(), Next::Report(Report::Stale(stale)));
}

#[test]
fn a04_a_pointer_that_only_the_journal_remembers_expires_no_less() {
    let host = Host::settled().journaled([seen(1, Some(100))]).forgetting();
    assert_eq!(host.next(), Next::Hold(Hold::NoPointer));
    let stale = host.at(100);
    assert_eq!(stale.next(), Next::Report(Report::Stale(Stale::Pointer { expires: at(100) })));
    let reported = stale.journaled([Record::Outcome { ack: ack(1, 1, Outcome::Stale, None) }]);
    assert_eq!(reported.next(), Next::Hold(Hold::Stale));
    let afresh = pointer(1, 1, |pointer| (pointer.serial, pointer.expires) = (Serial::new(2), at(200)));
    assert_eq!(reported.told(afresh).next(), Next::Report(Report::FreshAgain));
    // An older version of the agent did not remember when.
    let old = Host::settled().journaled([seen(1, None)]).forgetting();
    assert_eq!(old.at(5000).next(), Next::Hold(Hold::NoPointer));
}

#[test]
fn a04_a_frozen_region_that_was_stale_is_fresh_again_with_the_next_signature() {
    let frozen = |serial| {
        pointer(2, 2, |pointer| {
            (pointer.freeze, pointer.serial, pointer.expires) = (true, Serial::new(serial), at(100 * serial));
        })
    };
    let stale = Host::settled().told(frozen(1)).at(100);
    assert!(matches!(stale.next(), Next::Report(Report::Stale(_))));
    let reported = stale.journaled([Record::Outcome { ack: ack(2, 2, Outcome::Stale, None) }]);
    let fresh = reported.told(frozen(2));
    assert_eq!(fresh.next(), Next::Report(Report::FreshAgain));
    // What is told then is the result of generation 1, once.
    let told = fresh.journaled([Record::Outcome { ack: ack(1, 1, Outcome::Applied, None) }]);
    assert_eq!(told.next(), Next::Hold(Hold::Told));
    assert!(matches!(told.at(200).next(), Next::Report(Report::Stale(_))));
    // A host that never had a result has nothing to tell.
    let new = Host::new().journaled([Record::Outcome { ack: ack(2, 2, Outcome::Stale, None) }]).told(frozen(2));
    assert_eq!(new.next(), Next::Hold(Hold::Told));
}

#[test]
fn what_was_stale_is_told_to_be_as_it_was_once_the_pointer_is_fresh() {
    let stale = Host::settled().journaled([Record::Outcome { ack: ack(1, 1, Outcome::Stale, None) }]);
    assert_eq!(stale.next(), Next::Report(Report::FreshAgain));
    let failed = ack(1, 1, Outcome::Failed, Some(Step::Probe));
    let stale = ack(1, 1, Outcome::Stale, None);
    let host = Host::new().journaled([Record::Outcome { ack: failed }, Record::Outcome { ack: stale }]);
    assert_eq!(host.told(pointer(1, 1, |_| ())).next(), Next::Report(Report::FreshAgain));
}

#[test]
fn a_freeze_and_a_quarantine_hold() {
    let frozen = pointer(2, 2, |pointer| pointer.freeze = true);
    assert_eq!(Host::settled().told(frozen).next(), Next::Hold(Hold::Told));
    let kept = |agent: &str| {
        let agent = agent.parse().expect("a name");
        Host::settled().told(pointer(2, 2, |pointer| pointer.quarantine = vec![agent])).next()
    };
    // It may show that it would do, and stays where it is.
    assert_eq!(kept("web-0173"), Next::Prepare(target(2), Source::Store));
    assert_eq!(kept("web-0174"), Next::Apply(target(2), Source::Store));
}

#[test]
fn what_a_hook_refused_is_tried_again_by_a_newer_generation_only() {
    let failed = Record::Outcome { ack: ack(2, 2, Outcome::Failed, Some(Step::Check)) };
    let host = Host::settled().with_version(2).journaled([failed]);
    let afresh = pointer(2, 2, |pointer| pointer.serial = Serial::new(9));
    let host = host.told(afresh);
    assert_eq!(host.next(), Next::Hold(Hold::Bad));
    assert_eq!(host.told(pointer(3, 2, |_| ())).next(), Next::Apply(target(2), Source::Disk));
}

#[test]
fn what_bytes_or_disks_refused_is_tried_again() {
    for (outcome, step) in [(Outcome::Refused, Step::Fetch), (Outcome::Failed, Step::Disk)] {
        let host = Host::settled().journaled([Record::Outcome { ack: ack(2, 2, outcome, Some(step)) }]);
        assert_eq!(host.told(pointer(2, 2, |_| ())).next(), Next::Apply(target(2), Source::Store));
    }
}

#[test]
fn f01_current_tells_whether_the_switch_happened() {
    let begun = Host::settled().journaled([Record::Intent(intent(2, 2, Some(1)))]).told(pointer(2, 2, |_| ()));
    assert_eq!(begun.next(), Next::Apply(target(2), Source::Store));
    let switched = begun.running(2);
    assert_eq!(switched.next(), Next::FinishSwitch(intent(2, 2, Some(1))));
    let durable = switched.journaled([Record::Applied(applied(intent(2, 2, Some(1))))]);
    assert_eq!(durable.next(), Next::RunHooks(applied(intent(2, 2, Some(1)))));
}

#[test]
fn f01_an_intent_for_what_runs_already_says_nothing_about_a_switch() {
    let begun = Host::settled().journaled([Record::Intent(intent(2, 1, Some(1)))]).told(pointer(2, 1, |_| ()));
    assert_eq!(begun.next(), Next::Apply(target(1), Source::Running));
}

#[test]
fn f40_what_was_begun_is_finished_before_a_newer_pointer_is_looked_at() {
    let intent = intent(2, 2, Some(1));
    let records = [Record::Intent(intent), Record::Applied(applied(intent))];
    for pointer in [None, Some(pointer(3, 3, |_| ())), Some(pointer(3, 3, |pointer| pointer.freeze = true))] {
        let host = Host { pointer, ..Host::settled().running(2).journaled(records.clone()) };
        assert_eq!(host.next(), Next::RunHooks(applied(intent)));
        assert_eq!(host.at(5000).next(), Next::RunHooks(applied(intent)));
    }
}

#[test]
fn f01_a_verdict_of_a_hook_is_carried_out_whether_or_not_the_way_back_was_begun() {
    let intent = intent(2, 2, Some(1));
    let bad = bad(intent, Step::Probe);
    let records = [Record::Intent(intent), Record::Applied(applied(intent)), Record::Bad(bad.clone())];
    let judged = Host::settled().running(2).journaled(records);
    assert_eq!(judged.next(), Next::Return(bad.clone()));
    assert_eq!(judged.running(1).next(), Next::Return(bad));
}

#[test]
fn an_intent_that_a_newer_pointer_overtook_is_dropped() {
    let host = Host::settled().journaled([Record::Intent(intent(2, 2, Some(1)))]).told(pointer(3, 1, |_| ()));
    assert_eq!(host.next(), Next::Apply(target(1), Source::Running));
}

#[test]
fn f11_a_clock_behind_the_newest_signature_is_not_believed() {
    let seen = |issued| Record::Seen {
        seen: schema::Seen { order: order(1), payload: bundle(1), manifest: bundle(1) },
        issued: at(issued),
        until: None,
    };
    let host = Host::new().journaled([seen(400), seen(500)]);
    assert_eq!(host.journal.time(at(3)), at(500));
    assert_eq!(host.journal.time(at(501)), at(501));
    // The publisher's clock was ahead, and is right again: what it signs now must not be stale for years.
    let host = host.journaled([seen(400)]);
    assert_eq!(host.journal.time(at(401)), at(401));
}

#[test]
fn what_a_hook_refused_and_runs_all_the_same_must_convince_the_hooks_again() {
    let begun = intent(1, 1, None);
    let failed = Record::Outcome { ack: ack(1, 1, Outcome::Failed, Some(Step::Reload)) };
    let host = Host::new().running(1).journaled([Record::Bad(bad(begun, Step::Reload)), failed]);
    let host = host.told(pointer(1, 1, |_| ()));
    assert_eq!(host.next(), Next::Hold(Hold::Bad));
    let host = host.told(pointer(2, 1, |_| ()));
    assert_eq!(host.next(), Next::Apply(target(1), Source::Disk));
    let again = intent(2, 1, Some(1));
    assert_eq!(host.journaled([Record::Intent(again)]).next(), Next::Apply(target(1), Source::Disk));
}

#[test]
fn f15_an_ack_that_was_answered_settles_its_generation_no_less() {
    let Ack { epoch, generation, at, .. } = ack(1, 1, Outcome::Applied, None);
    let host = Host::settled().journaled([Record::Acked { epoch, generation, at }]);
    assert_eq!(host.journal.unanswered, []);
    assert_eq!(host.next(), Next::Nothing);
}
