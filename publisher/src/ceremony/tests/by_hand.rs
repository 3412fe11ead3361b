//! Drafts that somebody wrote, or rewrote, by hand.

use super::*;

/// A draft of `root` by hand, opened after `before`.
fn opened(before: &Verified<TrustRoot>, root: TrustRoot) -> Result<Draft, NotADraft> {
    Draft::open(Some(before.clone()), Payload::of(root).line(), Timestamp::UNIX_EPOCH)
}

#[test]
fn a_draft_made_by_hand_keeps_the_rules_too() {
    let people = People::new();
    let floored = people.next(&[Change::Floor(7)]).expect("a floor");
    let before = floored.assemble(&refs(&sign(&floored, &[&people.root[0], &people.root[2]]))).expect("two of three");
    let good = TrustRoot { version: 3, ..(*before).clone() };
    assert!(opened(&before, good.clone()).is_ok());
    let broken = |root: TrustRoot| match opened(&before, root) {
        Err(NotADraft::Rule(rule)) => rule,
        other => panic!("{other:?}"),
    };
    assert_eq!(broken(TrustRoot { version: 4, ..good.clone() }), BrokenRule::Version { offered: 4, before: 2 });
    assert_eq!(broken(TrustRoot { version: 2, ..good.clone() }), BrokenRule::Version { offered: 2, before: 2 });
    assert_eq!(broken(TrustRoot { release_floor: 6, ..good.clone() }), BrokenRule::Floor { offered: 6, before: 7 });
    let far = Epoch::new(3);
    assert_eq!(
        broken(TrustRoot { epoch: far, ..good.clone() }),
        BrokenRule::Epoch { offered: far, before: Epoch::FIRST }
    );
    let line = Payload::of(good.clone());
    let late = Draft::open(Some(before.clone()), line.line(), good.expires);
    assert!(matches!(late, Err(NotADraft::Rule(BrokenRule::Expired { .. }))));
    let many: Vec<PublicKey> = (0..17).map(|_| SecretKey::generate().public().clone()).collect();
    let crowd = RoleKeys::new(15, many).expect("a role");
    assert_eq!(broken(TrustRoot { root: crowd, ..good.clone() }), BrokenRule::Signers { signers: 17, max: 16 });
    let revoked = (0..800u32).map(|number| Digest::of(&number.to_be_bytes())).collect();
    assert!(matches!(broken(TrustRoot { revoked, ..good }), BrokenRule::Size { .. }));
    assert!(matches!(Draft::open(None, b"{}\n", Timestamp::UNIX_EPOCH), Err(NotADraft::Unreadable(_))));
    assert!(Draft::open(None, people.first().line(), Timestamp::UNIX_EPOCH).is_ok());
}

#[test]
fn a_draft_says_nothing_that_its_signers_are_not_told() {
    let people = People::new();
    let (before, fresh) = (people.root(), SecretKey::generate());
    let region = RoleName::PointerOf("eu-west".parse().expect("a region"));
    let draft = people.next(&[add(region, &fresh)]).expect("a role more");
    let line = String::from_utf8(draft.line().to_vec()).expect("JSON");
    let open = |line: &str| Draft::open(Some(before.clone()), line.as_bytes(), Timestamp::UNIX_EPOCH);
    assert!(open(&line).is_ok());
    let key = |key: &SecretKey| key.public().to_string();
    let regions = format!("\"pointer_of_region\":{{\"eu-west\":{{\"threshold\":1,\"keys\":[\"{}\"]}}", key(&fresh));
    let thief = format!("\"eu-west\":{{\"threshold\":1,\"keys\":[\"{}\"]}},", key(&people.root[0]));
    for (from, to) in [
        // A field that a later version may honour.
        ("\"version\":", "\"delegates\":[\"mallory\"],\"version\":"),
        // A region twice: people may read the one, and programs the other.
        (regions.as_str(), &regions.replace("\"eu-west\"", &format!("{thief}\"eu-west\""))),
        ("\"version\":", "\"version\" :"),
        ("eu-west", "eu\\u002dwest"),
    ] {
        let tampered = line.replacen(from, to, 1);
        assert_ne!(tampered, line, "{from} is in {line}");
        assert!(matches!(open(&tampered), Err(NotADraft::OddlySpelt)), "{tampered}: {:?}", open(&tampered));
    }
    // A name of the root's own twice is no root at all.
    let twice = line.replacen("\"version\":2", "\"version\":2,\"version\":2", 1);
    assert!(matches!(open(&twice), Err(NotADraft::Unreadable(_))));
}
