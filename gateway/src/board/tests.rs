use std::time::Duration;

use schema::keys::SecretKey;
use schema::pointer::Target;
use schema::{Digest, Epoch, Generation, RoleKeys, Serial};

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

pub(crate) struct Signer {
    key: SecretKey,
    root: TrustRoot,
}

impl Signer {
    pub(crate) fn new() -> Signer {
        let key = SecretKey::generate();
        let role = RoleKeys::new(1, vec![key.public().clone()]).expect("one of one");
        let root = TrustRoot {
            version: 1,
            epoch: Epoch::FIRST,
            issued: NOW,
            expires: NOW.after(Duration::from_secs(60)),
            release_floor: 0,
            revoked: Vec::new(),
            root: role.clone(),
            release: role.clone(),
            pointer: role,
            pointer_of_region: BTreeMap::new(),
        };
        Signer { key, root }
    }

    pub(crate) fn pointer(&self, generation: u64, bundle: &[u8]) -> Verified<Pointer> {
        let digest = Digest::of(bundle);
        let pointer = Pointer {
            app: pair().app,
            region: pair().region,
            epoch: self.root.epoch,
            generation: Generation::new(generation),
            serial: Serial::FIRST,
            issued: NOW.after(Duration::from_secs(generation)),
            expires: NOW.after(Duration::from_secs(3600)),
            prev: None,
            trace: None,
            commit: "5b1e".repeat(10).parse().expect("a commit"),
            stable: Target { digest, manifest: digest },
            candidate: None,
            quarantine: Vec::new(),
            freeze: false,
            withdrawn: Vec::new(),
            cause: None,
        };
        Verified::seal(pointer, &[&self.key])
    }

    fn resigned(&self, pointer: &Verified<Pointer>) -> Verified<Pointer> {
        let serial = pointer.serial.next().expect("a next serial");
        let issued = pointer.issued.after(Duration::from_secs(30));
        let next = Pointer { serial, issued, prev: Some(pointer.payload_digest()), ..(**pointer).clone() };
        Verified::seal(next, &[&self.key])
    }

    pub(crate) fn offer(&self, board: &Board, pointer: &Verified<Pointer>) -> Result<Succession, NotPosted> {
        board.offer(&pair(), pointer.bytes().clone(), &self.root, NOW)
    }
}

fn refusal(refused: &NotPosted) -> Option<&Refusal> {
    match &refused.fault {
        Fault::Refused(refusal) => Some(refusal),
        Fault::Unverified(_) => None,
    }
}

pub(crate) fn pair() -> Pair {
    Pair { app: "edge-proxy".parse().expect("an app"), region: "eu-west".parse().expect("a region") }
}

#[test]
fn a_board_only_moves_forward() {
    let (signer, board) = (Signer::new(), Board::default());
    let (first, second) = (signer.pointer(1, b"one"), signer.pointer(2, b"two"));
    assert!(board.slot(&pair()).is_none());
    assert_eq!(signer.offer(&board, &first).ok(), Some(Succession::Newer));
    assert_eq!(signer.offer(&board, &second).ok(), Some(Succession::Newer));
    assert_eq!(signer.offer(&board, &second).ok(), Some(Succession::Same));
    let refused = signer.offer(&board, &first).expect_err("older");
    assert!(matches!(refusal(&refused), Some(Refusal::Rollback { .. })), "{refused:?}");
    let forged = Signer::new().pointer(3, b"three");
    let refused = signer.offer(&board, &forged).expect_err("another key");
    assert!(matches!(refused.fault, Fault::Unverified(_)), "{refused:?}");
    assert_eq!(board.slot(&pair()).expect("a slot").posted().bytes(), second.bytes());
}

#[test]
fn a18_of_two_pointers_in_one_place_the_first_is_kept() {
    let (signer, board) = (Signer::new(), Board::default());
    signer.offer(&board, &signer.pointer(1, b"one")).expect("a first");
    let refused = signer.offer(&board, &signer.pointer(1, b"another")).expect_err("a contradiction");
    assert!(matches!(refusal(&refused), Some(Refusal::Equivocation { .. })), "{refused:?}");
}

#[test]
fn a_refused_first_pointer_leaves_no_slot() {
    let (signer, board) = (Signer::new(), Board::default());
    let elsewhere = Pair { region: "us-east".parse().expect("a region"), ..pair() };
    let pointer = signer.pointer(1, b"one");
    let refused = board.offer(&elsewhere, pointer.bytes().clone(), &signer.root, NOW).expect_err("another region's");
    assert!(matches!(refusal(&refused), Some(Refusal::MixAndMatch { .. })), "{refused:?}");
    assert!(board.slots().is_empty());
}

#[test]
fn a_generation_is_as_old_as_its_first_serial() {
    let (signer, board) = (Signer::new(), Board::default());
    let first = signer.pointer(1, b"one");
    let resigned = signer.resigned(&first);
    signer.offer(&board, &first).expect("a first");
    let before = board.slot(&pair()).expect("a slot").posted();
    assert_eq!(signer.offer(&board, &resigned).ok(), Some(Succession::Resigned));
    let after = board.slot(&pair()).expect("a slot").posted();
    assert_ne!(before.etag(), after.etag());
    let mark = after.mark(first.epoch, first.generation).expect("a mark");
    assert_eq!(mark.issued, first.issued);
    assert!(mark.names(Digest::of(b"one")) && !mark.names(Digest::of(b"two")));
    assert!(after.mark(first.epoch, Generation::new(2)).is_none());
}

#[test]
fn marks_do_not_pile_up() {
    let (signer, board) = (Signer::new(), Board::default());
    for generation in 1..=40 {
        signer.offer(&board, &signer.pointer(generation, b"one")).expect("a newer one");
    }
    let posted = board.slot(&pair()).expect("a slot").posted();
    let marked = (1..=40).filter(|number| posted.mark(Epoch::FIRST, Generation::new(*number)).is_some());
    assert_eq!(marked.collect::<Vec<_>>(), (9..=40).collect::<Vec<_>>());
}
