use std::path::PathBuf;
use std::time::Duration;

use publisher::keys::Role;
use schema::keys::SecretKey;
use schema::{Epoch, PublicKey, RoleKeys, Timestamp, TrustRoot};

use super::*;
use crate::doctor::facts::*;
use crate::doctor::finding::Verdict;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn now() -> Timestamp {
    Timestamp::from_unix_millis(1_800_000_000_000)
}

fn role(threshold: usize, keys: &[&PublicKey]) -> RoleKeys {
    RoleKeys::new(threshold, keys.iter().copied().cloned().collect()).expect("a role")
}

fn key() -> PublicKey {
    SecretKey::generate().public().clone()
}

/// A set-up with nothing to say about.
fn healthy() -> Facts {
    let (root, release) = ([key(), key(), key()], [key(), key()]);
    let newest = TrustRoot {
        version: 3,
        epoch: Epoch::FIRST,
        issued: now(),
        expires: now().after(300 * DAY),
        release_floor: 0,
        revoked: Vec::new(),
        root: role(2, &root.each_ref()),
        release: role(2, &release.each_ref()),
        pointer: role(1, &[&key()]),
        pointer_of_region: Default::default(),
    };
    Facts {
        now: now(),
        root: Ok(RootFacts { pinned: 1, newest, stray: None }),
        key_files: vec![KeyFile {
            path: "keys/release.key".into(),
            protection: Protection::None,
            mode: 0o100_600,
            public: Some(release[0].clone()),
        }],
        roles: vec![Role::Release],
        signing: Ok(()),
        policy: Ok(PolicyFile { path: "/srv/policy.yaml".into(), mode: 0o100_644 }),
        state: Folder { path: "state".into(), mode: Some(0o40_700) },
        store: Ok(StoreFacts { pointers: vec![pointer(now(), now().after(DAY))], passed_over: 0 }),
        control: Some(ControlFacts {
            path: "control.yaml".into(),
            mode: 0o100_644,
            access: Ok(()),
            tokens: vec![TokenFile { path: "operator.token".into(), mode: 0o100_600 }],
        }),
        listener: None,
        git: Git { need: Need::Used, version: Ok("git version 2.47.3".to_owned()) },
        gateway: None,
    }
}

fn pointer(issued: Timestamp, expires: Timestamp) -> PointerFact {
    PointerFact {
        app: "web".parse().expect("an app"),
        region: "eu-west".parse().expect("a region"),
        term: Ok((issued, expires)),
    }
}

/// What is not fine after `spoil`.
fn complaints(spoil: impl FnOnce(&mut Facts)) -> Vec<(&'static str, Verdict)> {
    let mut facts = healthy();
    spoil(&mut facts);
    let bad = judge(&facts).into_iter().filter(|finding| finding.verdict != Verdict::Ok);
    bad.map(|finding| {
        assert!(finding.mend.is_some(), "{} says how to mend it", finding.check);
        (finding.check, finding.verdict)
    })
    .collect()
}

fn newest(facts: &mut Facts) -> &mut TrustRoot {
    &mut facts.root.as_mut().expect("a root").newest
}

fn file(mode: u32, protection: Protection, public: Option<PublicKey>) -> KeyFile {
    KeyFile { path: PathBuf::from("keys/root.key"), protection, mode, public }
}

#[test]
fn a_healthy_set_up_has_nothing_to_mend() {
    assert_eq!(complaints(|_| {}), []);
}

#[test]
fn a_root_is_told_of_before_it_expires() {
    let expiring = |days: u32| complaints(|facts| newest(facts).expires = now().after(days * DAY));
    assert_eq!(expiring(61), []);
    for days in [59, 29, 6] {
        assert_eq!(expiring(days), [("root.expiry", Verdict::Weak)], "{days}");
    }
    assert_eq!(complaints(|facts| newest(facts).expires = now()), [("root.expiry", Verdict::Weak)]);
    let expired = complaints(|facts| facts.now = now().after(301 * DAY));
    assert!(expired.contains(&("root.expiry", Verdict::Broken)), "{expired:?}");
}

#[test]
fn thresholds_that_one_theft_meets_or_one_loss_breaks_are_weak() {
    let one = key();
    assert_eq!(complaints(|facts| newest(facts).root = role(1, &[&one])), [("root.threshold", Verdict::Weak)]);
    let other = key();
    assert_eq!(complaints(|facts| newest(facts).root = role(2, &[&one, &other])), [("root.threshold", Verdict::Weak)]);
    assert_eq!(complaints(|facts| newest(facts).release = role(1, &[&one])), [("release.threshold", Verdict::Weak)]);
    assert_eq!(complaints(|facts| facts.roles.push(Role::Pointer)), [("keys.apart", Verdict::Weak)]);
}

#[test]
fn a_key_in_two_roles_is_weak_unless_both_point() {
    let shared = key();
    let both = |facts: &mut Facts| {
        newest(facts).pointer = role(1, &[&shared]);
        newest(facts).root = role(2, &[&shared, &key(), &key()]);
    };
    assert_eq!(complaints(both), [("roles.apart", Verdict::Weak)]);
    let regional = |facts: &mut Facts| {
        newest(facts).pointer = role(1, &[&shared]);
        newest(facts).pointer_of_region = [("eu-west".parse().expect("a region"), role(1, &[&shared]))].into();
    };
    assert_eq!(complaints(regional), []);
}

#[test]
fn key_files_that_others_could_use_are_weak() {
    assert_eq!(complaints(|facts| facts.key_files[0].mode = 0o100_640), [("keys.files", Verdict::Weak)]);
    let root_key = |protection| {
        complaints(|facts| {
            let public = newest(facts).root.keys()[0].clone();
            facts.key_files.push(file(0o100_600, protection, Some(public)));
        })
    };
    assert_eq!(root_key(Protection::None), [("keys.root", Verdict::Weak)]);
    assert_eq!(root_key(Protection::Password), []);
    assert_eq!(complaints(|facts| facts.key_files.push(file(0o100_600, Protection::None, None))), []);
}

#[test]
fn a_policy_that_others_can_change_is_weak() {
    for mode in [0o100_664, 0o100_646] {
        let open = PolicyFile { path: "/srv/policy.yaml".into(), mode };
        assert_eq!(complaints(|facts| facts.policy = Ok(open)), [("signers", Verdict::Weak)]);
    }
}

#[test]
fn what_agents_would_refuse_is_broken() {
    let broken = |spoil: fn(&mut Facts)| complaints(spoil);
    assert_eq!(broken(|facts| facts.signing = Err("not in the root".to_owned())), [("keys.roles", Verdict::Broken)]);
    assert_eq!(broken(|facts| facts.policy = Err("missing".to_owned())), [("signers", Verdict::Broken)]);
    assert_eq!(broken(|facts| facts.store = Err("away".to_owned())), [("store", Verdict::Broken)]);
    assert_eq!(broken(|facts| facts.root = Err("no such file".to_owned())), [("root.file", Verdict::Broken)]);
    let stray = |facts: &mut Facts| facts.root.as_mut().expect("a root").stray = Some("forged".to_owned());
    assert_eq!(complaints(stray), [("root.file", Verdict::Broken)]);
    assert_eq!(broken(|facts| facts.git.version = Err("missing".to_owned())), [("git", Verdict::Broken)]);
    let unused = |facts: &mut Facts| facts.git = Git { need: Need::Unused, version: Err("missing".to_owned()) };
    assert_eq!(complaints(unused), []);
}

#[test]
fn pointers_are_looked_at_one_by_one() {
    let with = |pointer: PointerFact| complaints(|facts| facts.store.as_mut().expect("a store").pointers.push(pointer));
    assert_eq!(with(pointer(now(), now().after(DAY))), []);
    let yesterday = Timestamp::from_unix_millis(now().unix_millis() - 24 * 3600 * 1000);
    assert_eq!(with(pointer(yesterday, now())), [("pointers", Verdict::Broken)]);
    assert_eq!(with(pointer(yesterday, now().after(DAY / 5))), [("pointers", Verdict::Weak)]);
    let refused = PointerFact { term: Err("of epoch 1".to_owned()), ..pointer(now(), now()) };
    assert_eq!(with(refused), [("pointers", Verdict::Broken)]);
    assert_eq!(complaints(|facts| facts.store = Ok(StoreFacts::default())), [("store", Verdict::Weak)]);
}

#[test]
fn a_clock_is_behind_what_was_signed_or_off_a_gateways() {
    let behind = |by: Duration| {
        complaints(|facts| {
            facts.store.as_mut().expect("a store").pointers[0] = pointer(now().after(by), now().after(2 * DAY))
        })
    };
    assert_eq!(behind(Duration::from_secs(59)), []);
    assert_eq!(behind(Duration::from_secs(61)), [("clock", Verdict::Weak)]);
    assert_eq!(behind(Duration::from_secs(3601)), [("clock", Verdict::Broken)]);
    let gateway = |theirs: Result<i64, String>| {
        complaints(|facts| {
            facts.gateway = Some(theirs.map(|off| Timestamp::from_unix_millis(now().unix_millis() + off)))
        })
    };
    assert_eq!(gateway(Ok(59_000)), []);
    assert_eq!(gateway(Ok(-61_000)), [("clock", Verdict::Weak)], "being ahead is seen, too");
    assert_eq!(gateway(Err("silent".to_owned())), [("clock", Verdict::Weak)]);
}

#[test]
fn who_can_connect_or_write_is_told() {
    let listening = |address: &str, transport| {
        let address = address.parse().expect("an address");
        complaints(|facts| facts.listener = Some(Listener { address, transport }))
    };
    assert_eq!(
        listening("0.0.0.0:7878", Ok(Transport::Plain)),
        [("listen", Verdict::Weak), ("control.transport", Verdict::Weak)]
    );
    assert_eq!(listening("0.0.0.0:7878", Err("no such file".to_owned())), [("listen", Verdict::Broken)]);
    assert_eq!(listening("0.0.0.0:7878", Ok(Transport::Tls)), []);
    assert_eq!(listening("127.0.0.1:7878", Ok(Transport::Plain)), []);
    assert_eq!(complaints(|facts| facts.state.mode = Some(0o40_775)), [("state", Verdict::Weak)]);
    assert_eq!(complaints(|facts| facts.state.mode = None), []);
}

#[test]
fn commands_are_for_those_who_may_give_them() {
    let control = |spoil: fn(&mut ControlFacts)| {
        complaints(|facts| spoil(facts.control.as_mut().expect("a healthy set-up takes commands")))
    };
    assert_eq!(control(|control| control.tokens[0].mode = 0o100_644), [("control.tokens", Verdict::Weak)]);
    assert_eq!(control(|control| control.mode = 0o100_664), [("control", Verdict::Weak)]);
    assert_eq!(control(|control| control.access = Err("no".to_owned())), [("control", Verdict::Broken)]);
    let plain = |address: &str| {
        let (address, transport) = (address.parse().expect("an address"), Ok(Transport::Plain));
        complaints(|facts| facts.listener = Some(Listener { address, transport }))
    };
    assert_eq!(plain("127.0.0.1:7878"), []);
    assert!(plain("0.0.0.0:7878").contains(&("control.transport", Verdict::Weak)));
    assert_eq!(complaints(|facts| facts.control = None), []);
}
