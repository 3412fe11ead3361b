use proptest::collection::vec;
use proptest::prelude::*;
use schema::ack::{Active, Outcome, Step};
use schema::time::Length;
use schema::{Ack, Digest, Epoch, Generation, Order, Seen, Serial, Timestamp};
use tempfile::TempDir;

use std::io::Write as _;
use std::time::Duration;

use super::*;

pub(crate) fn order(generation: u64) -> Order {
    Order { epoch: Epoch::FIRST, generation: Generation::new(generation), serial: Serial::FIRST }
}

pub(crate) fn bundle(number: u64) -> Digest {
    Digest::of(format!("bundle {number}").as_bytes())
}

pub(crate) fn at(second: u64) -> Timestamp {
    Timestamp::from_unix_millis(second as i64 * 1000)
}

pub(crate) fn ack(generation: u64, target: u64, outcome: Outcome, step: Option<Step>) -> Ack {
    let Order { epoch, generation, .. } = order(generation);
    Ack {
        agent: "web-0173".parse().expect("a name"),
        app: "edge-proxy".parse().expect("a name"),
        region: "eu-west".parse().expect("a name"),
        epoch,
        generation,
        attempted: bundle(target),
        outcome,
        active: (outcome == Outcome::Applied).then_some(Active { digest: bundle(target), epoch, generation }),
        previous: None,
        notified_at: at(1),
        at: at(2),
        bundle_bytes: 0,
        step,
        reason: None,
        labels: Default::default(),
        failures: 0,
    }
}

fn seen(generation: u64) -> Record {
    let payload = Digest::of(&generation.to_be_bytes());
    Record::Seen {
        seen: Seen { order: order(generation), payload, manifest: payload },
        issued: at(generation),
        until: None,
    }
}

fn intent(generation: u64, target: u64) -> Intent {
    Intent::unrecorded(order(generation), bundle(target), None, at(1))
}

fn record() -> impl Strategy<Value = Record> {
    let step = prop_oneof![Just(Step::Fetch), Just(Step::Check), Just(Step::Probe)];
    let outcome = prop_oneof![
        Just(Outcome::Applied),
        Just(Outcome::Refused),
        Just(Outcome::Failed),
        Just(Outcome::Stale),
        Just(Outcome::Prepared),
        Just(Outcome::Unprepared)
    ];
    (0_u8..8, 1_u64..5, 0_u64..4, step, outcome).prop_map(|(kind, generation, target, step, outcome)| {
        let applied = Applied { intent: intent(generation, target), bundle_bytes: 7, at: at(3) };
        match kind {
            0 => seen(generation),
            1 => Record::Intent(applied.intent),
            2 => Record::Applied(applied),
            3 => Record::Bad(Bad { applied, step, reason: "it said\nno\0".into() }),
            4 => Record::Confirmed { digest: bundle(target) },
            5 => {
                let intent = Intent { confirm_within: Some(Length(Duration::from_secs(5))), ..applied.intent };
                Record::Applied(Applied { intent, ..applied })
            }
            6 => Record::Outcome { ack: ack(generation, target, outcome, Some(step)) },
            _ => Record::Acked { epoch: Epoch::FIRST, generation: Generation::new(generation), at: at(2) },
        }
    })
}

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("journal")
    }

    fn open(&self) -> Result<Journal, JournalError> {
        Journal::open(&self.path(), &self.folder.path().join("current"), Compaction::WhenLong)
    }

    fn written(&self, records: &[Record]) -> JournalState {
        let mut journal = self.open().expect("a sound journal");
        for record in records {
            journal.append(record).expect("room on the disk");
        }
        journal.state().clone()
    }

    fn reopened(&self) -> JournalState {
        self.open().expect("sound, or torn at its end").state().clone()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).expect("a journal")
    }
}

fn folded(records: &[Record]) -> JournalState {
    let mut state = JournalState::default();
    records.iter().for_each(|record| state.fold(record));
    state
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_knows_what_was_appended_and_compaction_loses_nothing(records in vec(record(), 0..12)) {
        let place = Place::new();
        prop_assert_eq!(place.written(&records), folded(&records));
        prop_assert_eq!(place.reopened(), folded(&records));
        let again = Journal::open(&place.path(), &place.path(), Compaction::Always).expect("a sound journal");
        prop_assert_eq!(again.records, 1);
        prop_assert_eq!(Journal::read(&place.path()).expect("a sound journal"), Some(folded(&records)));
    }

    #[test]
    fn f02_whatever_a_crash_leaves_of_the_last_line_is_dropped(records in vec(record(), 1..5), cut in 1_usize..400, zeros: bool) {
        let place = Place::new();
        place.written(&records[..records.len() - 1]);
        let before = place.bytes().len();
        place.written(&records[records.len() - 1..]);
        let mut bytes = place.bytes();
        let cut = before + cut.min(bytes.len() - before - 1);
        if zeros { bytes[before..cut].fill(0) } else { bytes.truncate(cut) }
        fs::write(place.path(), &bytes).expect("our own file");
        prop_assert_eq!(place.reopened(), folded(&records[..records.len() - 1]));
        prop_assert_eq!(place.bytes().len(), before);
    }

    #[test]
    fn f09_damage_anywhere_else_is_never_taken_for_less_history(records in vec(record(), 1..4), place_in in any::<prop::sample::Index>(), flip in 1_u8..=255) {
        let place = Place::new();
        place.written(&records);
        let mut bytes = place.bytes();
        let index = place_in.index(bytes.len() - 1);
        bytes[index] ^= flip;
        // A flip to zero in the last line is what a crash may leave.
        let last_line = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        prop_assume!(bytes[index] != 0 || index < last_line);
        fs::write(place.path(), &bytes).expect("our own file");
        let refused = place.open().expect_err("damaged");
        prop_assert!(matches!(refused, JournalError::Damaged { .. }), "{}", refused);
        prop_assert_eq!(place.bytes(), bytes);
    }
}

#[test]
fn f09_a_missing_or_emptied_journal_beside_a_current_is_no_fresh_start() {
    let place = Place::new();
    place.written(&[seen(42)]);
    fs::write(place.path(), b"").expect("our own file");
    let refused = place.open().expect_err("emptied").to_string();
    assert!(refused.contains("damaged in line 1: it is not `driftless/journal/1`"), "{refused}");
    fs::remove_file(place.path()).expect("our own file");
    std::os::unix::fs::symlink("versions/x", place.folder.path().join("current")).expect("a free name");
    assert!(matches!(place.open(), Err(JournalError::Missing { .. })));
}

#[test]
fn f09_a_record_of_a_newer_version_is_not_skipped() {
    let place = Place::new();
    place.written(&[seen(42)]);
    let json = r#"{"record":"quantum"}"#;
    let mut bytes = place.bytes();
    bytes.extend(format!("{} {json}\n", Digest::of(json.as_bytes())).bytes());
    fs::write(place.path(), bytes).expect("our own file");
    assert!(matches!(place.open(), Err(JournalError::Damaged { line: 4, wrong: Damage::Unknown, .. })));
}

#[test]
fn a_long_journal_is_written_anew_when_it_is_opened_or_appended_to() {
    let place = Place::new();
    let mut journal = place.open().expect("a fresh journal");
    for generation in 0..=LONG as u64 {
        // Not through `append`, which syncs each.
        journal.file.write_all(&file::line(&seen(generation))).expect("room on the disk");
    }
    drop(journal);
    let mut journal = place.open().expect("a sound journal");
    assert_eq!((journal.records, journal.state().seen.map(|seen| seen.order)), (1, Some(order(LONG as u64))));
    journal.records = LONG;
    journal.append(&seen(1000)).expect("room on the disk");
    assert_eq!((journal.records, place.reopened().seen.map(|seen| seen.order)), (1, Some(order(1000))));
    journal.append(&seen(1001)).expect("room on the disk");
    assert_eq!((journal.records, place.reopened().seen.map(|seen| seen.order)), (2, Some(order(1001))));
}

#[test]
fn an_answer_counts_for_the_ack_it_answers_and_for_none_that_is_newer() {
    let older = ack(7, 1, Outcome::Refused, Some(Step::Fetch));
    let newer = Ack { at: at(3), ..ack(7, 1, Outcome::Applied, None) };
    let answered = |at| Record::Acked { epoch: older.epoch, generation: older.generation, at };
    let told = [Record::Outcome { ack: older.clone() }, Record::Outcome { ack: newer.clone() }];
    let mut state = folded(&told);
    state.fold(&answered(older.at));
    assert_eq!(state.unanswered, std::slice::from_ref(&newer));
    state.fold(&answered(newer.at));
    assert_eq!(state.unanswered, []);
    assert_eq!(state.settled, Some(newer));
}

#[test]
fn records_of_versions_that_did_not_keep_when_a_pointer_expires_are_read() {
    let digest = "0".repeat(64);
    let seen = format!(r#"{{"epoch":1,"generation":7,"serial":2,"payload":"{digest}","manifest":"{digest}"}}"#);
    let issued = "2026-08-01T09:30:00.250Z";
    let old = [
        format!(r#"{{"record":"seen","seen":{seen},"issued":"{issued}"}}"#),
        format!(
            r#"{{"record":"snapshot","state":{{"seen":{seen},"floor":"{issued}","intent":null,"applied":null,"bad":[],"settled":null,"told":null,"active":null,"history":[],"unanswered":[]}}}}"#
        ),
    ];
    for record in old {
        let mut state = JournalState::default();
        state.fold(&serde_json::from_str(&record).expect("as it was written"));
        assert_eq!((state.seen.map(|seen| seen.order.generation), state.until), (Some(Generation::new(7)), None));
        assert_eq!(state.floor.map(|floor| floor.to_string()).as_deref(), Some(issued));
    }
}
