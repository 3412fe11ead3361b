use std::time::Duration;

use schema::keys::{InvalidRole, SecretKey};
use schema::seal::Payload;
use schema::{Digest, Epoch, Limits, PublicKey, RoleKeys, Sealed, Timestamp, TrustRoot, Verified};

use super::*;

mod by_hand;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn term() -> Term {
    Term { now: Timestamp::UNIX_EPOCH, valid_for: YEAR }
}

fn add(role: RoleName, key: &SecretKey) -> Change {
    Change::Add { role, key: key.public().clone() }
}

fn threshold(role: RoleName, threshold: usize) -> Change {
    Change::Threshold { role, threshold }
}

/// Three people with a root key each, and the keys of one publisher.
struct People {
    root: [SecretKey; 3],
    release: SecretKey,
    pointer: SecretKey,
}

impl People {
    fn new() -> People {
        let [root, release, pointer] = [(); 3].map(|()| SecretKey::generate());
        People { root: [root, SecretKey::generate(), SecretKey::generate()], release, pointer }
    }

    fn first(&self) -> Draft {
        let mut changes: Vec<Change> = self.root.iter().map(|key| add(RoleName::Root, key)).collect();
        changes.extend([add(RoleName::Release, &self.release), add(RoleName::Pointer, &self.pointer)]);
        Draft::first(&changes, term()).expect("a first root")
    }

    /// The first root, signed by two of three.
    fn root(&self) -> Verified<TrustRoot> {
        let draft = self.first();
        let signatures = sign(&draft, &[&self.root[0], &self.root[1]]);
        draft.assemble(&refs(&signatures)).expect("two of three signed")
    }

    fn next(&self, changes: &[Change]) -> Result<Draft, Refused> {
        Draft::next(self.root(), changes, term())
    }
}

fn sign(draft: &Draft, keys: &[&SecretKey]) -> Vec<String> {
    keys.iter().map(|key| draft.sign(key).expect("a root key")).collect()
}

fn refs(signatures: &[String]) -> Vec<&str> {
    signatures.iter().map(String::as_str).collect()
}

#[test]
fn a_first_root_of_three_keys_needs_two() {
    let people = People::new();
    let draft = people.first();
    assert_eq!((draft.root().version, draft.root().root.threshold(), draft.root().release.threshold()), (1, 2, 1));
    let one = sign(&draft, &[&people.root[2]]);
    let Err(Incomplete::Missing(standing)) = draft.assemble(&refs(&one)) else { panic!("one of two is too few") };
    assert_eq!(standing.0.iter().map(Duty::missing).collect::<Vec<_>>(), [1]);
    assert_eq!(standing.0[0].signed, [people.root[2].public().clone()]);
    let two = sign(&draft, &[&people.root[2], &people.root[0]]);
    assert_eq!(draft.assemble(&refs(&two)).expect("two of three").payload_digest(), draft.digest());
}

#[test]
fn a19_one_signer_twice_is_one_signer() {
    let people = People::new();
    let draft = people.first();
    let twice = sign(&draft, &[&people.root[0], &people.root[0]]);
    assert!(matches!(draft.assemble(&refs(&twice)), Err(Incomplete::Missing(_))));
    let with_another = sign(&draft, &[&people.root[0], &people.root[0], &people.root[1]]);
    let root = draft.assemble(&refs(&with_another)).expect("a repeated signature does no harm");
    let lines = root.bytes().iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(lines, 1 + 2 * 4, "the payload, and one block of each signer");
}

#[test]
fn the_next_root_needs_the_old_keys_and_the_new_ones() {
    let people = People::new();
    let (fourth, fifth) = (SecretKey::generate(), SecretKey::generate());
    let [one, two, three] = &people.root;
    let changes = [
        Change::Remove { role: RoleName::Root, key: one.public().clone() },
        Change::Remove { role: RoleName::Root, key: two.public().clone() },
        add(RoleName::Root, &fourth),
        add(RoleName::Root, &fifth),
    ];
    let draft = people.next(&changes).expect("three keys again");
    let missing = |keys: &[&SecretKey]| match draft.assemble(&refs(&sign(&draft, keys))) {
        Err(Incomplete::Missing(standing)) => standing.0.iter().map(Duty::missing).collect(),
        Err(other) => panic!("{other}"),
        Ok(_) => vec![0, 0],
    };
    assert_eq!(missing(&[one, two]), [0, 2]);
    assert_eq!(missing(&[&fourth, &fifth]), [2, 0]);
    assert_eq!(missing(&[one, three]), [0, 1]);
    assert_eq!(missing(&[one, three, &fifth]), [0, 0], "the third key counts for both");
}

#[test]
fn a_root_tells_who_signed_it() {
    let people = People::new();
    let before = people.root();
    let draft = people.next(&[]).expect("nothing but a new term");
    let root = draft.assemble(&refs(&sign(&draft, &[&people.root[1], &people.root[2]]))).expect("two of three");
    let sealed = Sealed::parse::<TrustRoot>(root.bytes().clone(), &Limits::DEFAULT).expect("a sealed root");
    let standing = Standing::of(Some(&before), &root, &sealed);
    assert!(standing.is_complete());
    assert_eq!(standing.0[0].unsigned, [people.root[0].public().clone()]);
    assert_eq!(
        standing.to_string(),
        "root keys of version 1: 2 signed, 2 needed; root keys of version 2: 2 signed, 2 needed"
    );
}

#[test]
fn a_new_chain_is_signed_by_its_own_keys_and_followed_by_nobody() {
    let people = People::new();
    let before = people.root();
    let changes: Vec<Change> = people.root[..2]
        .iter()
        .map(|lost| Change::Remove { role: RoleName::Root, key: lost.public().clone() })
        .chain([add(RoleName::Root, &people.release)])
        .collect();
    let draft = people.next(&changes).expect("a root of who is left");
    let signatures = sign(&draft, &[&people.root[2], &people.release]);
    assert!(matches!(draft.assemble(&refs(&signatures)), Err(Incomplete::Missing(_))), "the old keys are missing");
    let draft = draft.anew();
    let root = draft.assemble(&refs(&signatures)).expect("its own keys are enough");
    assert!(before.successor(root.bytes().clone(), &Limits::DEFAULT).is_err());
    assert!(draft.sign(&people.root[0]).is_err(), "a lost key signs no new chain");
}

#[test]
fn whoever_signs_something_else_is_named() {
    let people = People::new();
    let draft = people.first();
    let renewed = people.next(&[]).expect("nothing but a new term");
    let good = draft.sign(&people.root[0]).expect("a root key");
    let of_another = renewed.sign(&people.root[1]).expect("a root key");
    let number = |signatures: &[&str]| match draft.assemble(signatures) {
        Err(Incomplete::Signature { number, .. }) => number,
        other => panic!("{other:?}"),
    };
    assert_eq!(number(&[&good, &of_another]), 2);
    assert_eq!(number(&["nonsense", &good]), 1);
    let stranger = Payload::of(draft.root().clone()).sign(&SecretKey::generate());
    assert_eq!(number(&[&good, &stranger]), 2);
    assert!(draft.sign(&people.pointer).is_err(), "a pointer key signs no root");
}

#[test]
fn a_stolen_key_leaves_every_role_and_its_role_stays_of_use() {
    let people = People::new();
    let stolen = Change::Expel(people.pointer.public().clone());
    let refused = people.next(std::slice::from_ref(&stolen)).expect_err("nobody would sign pointers");
    let Refused::Role { role: RoleName::Pointer, source } = refused else { panic!("{refused}") };
    assert_eq!(*source, InvalidRole::Threshold { threshold: 1, keys: 0 });
    let fresh = SecretKey::generate();
    let draft = people.next(&[stolen, add(RoleName::Pointer, &fresh), Change::BumpEpoch]).expect("a replacement");
    assert_eq!(draft.root().pointer.keys(), [fresh.public().clone()]);
    assert_eq!(Some(draft.root().epoch), Epoch::FIRST.next());
    assert!(matches!(people.next(&[Change::Expel(fresh.public().clone())]), Err(Refused::InNoRole(_))));
}

#[test]
fn a_region_gets_keys_of_its_own_and_gives_them_up() {
    let people = People::new();
    let (region, key) = ("eu-west".parse::<schema::Region>().expect("a region"), SecretKey::generate());
    let role = RoleName::PointerOf(region.clone());
    let draft = people.next(&[add(role.clone(), &key)]).expect("a role more");
    assert_eq!(draft.root().pointer_keys(&region).keys(), [key.public().clone()]);
    let signatures = sign(&draft, &[&people.root[0], &people.root[1]]);
    let second = draft.assemble(&refs(&signatures)).expect("two of three");
    let expelled = Draft::next(second.clone(), &[Change::Expel(key.public().clone())], term());
    assert!(expelled.is_err(), "a theft must not hand the region to other keys");
    let given_up = Change::Remove { role, key: key.public().clone() };
    let third = Draft::next(second, &[given_up], term()).expect("the region goes back");
    assert_eq!(third.root().pointer_keys(&region), &third.root().pointer);
}

#[test]
fn what_would_be_of_no_use_is_refused() {
    let people = People::new();
    let [one, two, three] = [0, 1, 2].map(|index| people.root[index].public().clone());
    let remove = |key: &PublicKey| Change::Remove { role: RoleName::Root, key: key.clone() };
    let digest = Digest::of(b"bundle");
    let refused = |changes: &[Change]| people.next(changes).expect_err("it is refused").to_string();
    assert!(matches!(people.next(&[threshold(RoleName::Root, 0)]), Err(Refused::Role { .. })));
    assert!(matches!(people.next(&[threshold(RoleName::Release, 2)]), Err(Refused::Role { .. })));
    assert!(matches!(people.next(&[remove(&one), remove(&two)]), Err(Refused::Role { .. })), "one of two is left");
    assert!(refused(&[add(RoleName::Release, &people.release)]).contains("already"));
    assert!(refused(&[remove(&one), remove(&one)]).contains("not in role root"));
    assert!(refused(&[Change::Revoke(digest), Change::Revoke(digest)]).contains("revoked already"));
    let nowhere = RoleName::PointerOf("eu-west".parse().expect("a region"));
    assert!(matches!(people.next(&[threshold(nowhere, 1)]), Err(Refused::NoKeys(_))));
    assert!(people.next(&[remove(&three)]).is_ok(), "two of two is what is left");
}

#[test]
fn a_draft_tells_what_it_changes() {
    let people = People::new();
    let (fresh, digest) = (SecretKey::generate(), Digest::of(b"bundle"));
    let region = RoleName::PointerOf("eu-west".parse().expect("a region"));
    let changes = [
        Change::Expel(people.pointer.public().clone()),
        add(RoleName::Pointer, &fresh),
        add(region.clone(), &fresh),
        Change::BumpEpoch,
        Change::Floor(9),
        Change::Revoke(digest),
        threshold(RoleName::Root, 3),
    ];
    let later = Term { now: Timestamp::UNIX_EPOCH.after(YEAR / 2), valid_for: YEAR };
    let draft = Draft::next(people.root(), &changes, later).expect("a draft");
    let pointer = |added: &SecretKey| Difference::Added { role: RoleName::Pointer, key: added.public().clone() };
    let expires = |from: Timestamp| from.after(YEAR);
    assert_eq!(
        draft.differences(),
        [
            Difference::Epoch { from: Epoch::FIRST, to: Epoch::new(2) },
            Difference::Floor { from: 0, to: 9 },
            Difference::Threshold { role: RoleName::Root, from: Some((2, 3)), to: Some((3, 3)) },
            pointer(&fresh),
            Difference::Removed { role: RoleName::Pointer, key: people.pointer.public().clone() },
            Difference::Added { role: region.clone(), key: fresh.public().clone() },
            Difference::Threshold { role: region, from: None, to: Some((1, 1)) },
            Difference::Revoked(digest),
            Difference::Expires { from: expires(Timestamp::UNIX_EPOCH), to: expires(later.now) },
        ]
    );
    assert!(differences(draft.root(), draft.root()).is_empty());
}

#[test]
fn role_names_read_back() {
    for text in ["root", "release", "pointer", "pointer:eu-west"] {
        assert_eq!(text.parse::<RoleName>().map(|role| role.to_string()), Ok(text.to_owned()));
    }
    for bad in ["", "Root", "root:eu", "pointer:", "pointer:EU", "timestamp"] {
        assert!(bad.parse::<RoleName>().is_err(), "{bad}");
    }
}
