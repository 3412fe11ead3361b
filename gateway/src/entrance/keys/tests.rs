use schema::keys::SecretKey;
use zeroize::Zeroizing;

use super::super::registry::RegistryFiles;
use super::*;
use crate::reload::{Content, Files as _};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn name(text: &str) -> AgentId {
    text.parse().expect("a name")
}

fn key() -> PublicKey {
    SecretKey::generate().public().clone()
}

fn registry(text: &str) -> Registry {
    let content = Content { path: "agents.yaml".into(), bytes: Zeroizing::new(text.as_bytes().to_vec()) };
    RegistryFiles("agents.yaml".into()).parse(&[content]).expect("a registry")
}

#[test]
fn a15_the_first_key_of_a_name_is_its_key() {
    let (keys, first, second) = (Keys::new(10), key(), key());
    let check = |agent: &str, key: &PublicKey| keys.check((&name(agent), key), Voucher::Nobody, None, NOW);
    assert_eq!(check("web-1", &first), Ok(Kept::AsBefore));
    assert_eq!(check("web-1", &first), Ok(Kept::AsBefore));
    assert_eq!(check("web-1", &second), Err(NotItsKey::NotFirstSeen { agent: name("web-1") }));
    assert_eq!(check("web-2", &second), Ok(Kept::AsBefore));
    keys.forget_silent(NOW.after(std::time::Duration::from_secs(1)));
    assert_eq!(check("web-1", &second), Ok(Kept::AsBefore));
}

#[test]
fn a15_a_registered_key_is_the_only_one_and_a_stranger_has_none() {
    let (registered, other, third) = (key(), key(), key());
    let registry =
        registry(&format!("agents: {{ web-1: {{ key: {registered} }}, web-2: {{}} }}\nreaders: {{ top: {{}} }}\n"));
    let keys = Keys::new(10);
    let check = |agent: &str, key: &PublicKey| keys.check((&name(agent), key), Voucher::Nobody, Some(&registry), NOW);
    assert_eq!(check("web-1", &registered), Ok(Kept::AsBefore));
    assert_eq!(check("web-1", &other), Err(NotItsKey::NotRegistered { agent: name("web-1") }));
    assert_eq!(check("web-2", &other), Ok(Kept::AsBefore));
    assert_eq!(check("web-2", &third), Err(NotItsKey::NotFirstSeen { agent: name("web-2") }));
    for stranger in ["web-3", "top"] {
        assert_eq!(check(stranger, &registered), Err(NotItsKey::Unregistered { agent: name(stranger) }));
    }
}

#[test]
fn a46_invented_names_do_not_fill_memory() {
    let (keys, one) = (Keys::new(3), key());
    let check = |agent: String| keys.check((&name(&agent), &one), Voucher::Nobody, None, NOW);
    let taken = (0..1000).filter(|number| check(format!("web-{number}")).is_ok()).count();
    assert_eq!(taken, 3);
    assert_eq!(check("web-7".to_owned()), Err(NotItsKey::Full));
    assert_eq!(check("web-1".to_owned()), Ok(Kept::AsBefore));
}

#[test]
fn a45_whom_an_agent_vouched_for_nobody_else_replaces() {
    let (keys, own, other) = (Keys::new(2), key(), key());
    let check = |key: &PublicKey, voucher| keys.check((&name("web-1"), key), voucher, None, NOW);
    // A gateway below was first, with a key of its own making; then the agent came itself.
    assert_eq!(check(&other, Voucher::Nobody), Ok(Kept::AsBefore));
    assert_eq!(check(&own, Voucher::Agent), Ok(Kept::Anew));
    assert_eq!(check(&own, Voucher::Agent), Ok(Kept::AsBefore));
    assert_eq!(check(&other, Voucher::Nobody), Err(NotItsKey::NotFirstSeen { agent: name("web-1") }));
    assert_eq!(check(&own, Voucher::Nobody), Ok(Kept::AsBefore));
    // Who has shown who it is is heard, however many keys there are.
    let others = (2..9).map(|number| keys.check((&name(&format!("web-{number}")), &own), Voucher::Agent, None, NOW));
    assert!(others.into_iter().all(|checked| checked == Ok(Kept::AsBefore)));
    assert_eq!(keys.seen().len(), 2);
}
