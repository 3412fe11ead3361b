use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, PrivateKey};

use super::*;

fn key() -> String {
    let key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).expect("random numbers");
    key.public_key().to_openssh().expect("a public key")
}

fn read(text: &str) -> Result<SignerPolicy, InvalidPolicy> {
    parse("policy.yaml", text, &mut |_| Ok(Vec::new()))
}

#[test]
fn everything_in_it_is_read() {
    let (alice, bob, carol) = (key(), key(), key());
    let policy = read(&format!(
        "mode: head\ncommitter: must_be_signer\nseal: [alice@example.com]\nprincipals:\n\
         \x20 - name: alice@example.com,*@ops.example.com\n    ssh:\n      - {alice}\n      - {carol}\n\
         \x20 - name: bob@example.com\n    ssh: [{bob}]\n    paths: [apps/web/, driftless.yaml]\n\
         \x20   not_before: 2026-01-01T00:00:00Z\n    not_after: 2027-01-01T00:00:00.000Z\n\
         revoked:\n  - {{ key: \"SHA256:{}\", since: 2026-08-01T09:30:00Z }}\n",
        "a".repeat(43)
    ));
    let policy = policy.expect("a good policy");
    assert_eq!((policy.mode, policy.committer), (Mode::Head, CommitterRule::MustBeSigner));
    assert_eq!(policy.seal, SealRule::Only(vec!["alice@example.com".to_owned()]));
    assert_eq!(policy.grants.len(), 3);
    let bob = &policy.grants[2];
    assert!(bob.paths.admit(b"apps/web/a") && !bob.paths.admit(b"apps/other"));
    assert_eq!(bob.validity.before.map(|at| at.to_string()).as_deref(), Some("2027-01-01T00:00:00.000Z"));
    assert_eq!(policy.revoked[0].since.to_string(), "2026-08-01T09:30:00.000Z");

    let smallest =
        read(&format!("principals: [{{ name: alice, ssh: [{}] }}]\n", key())).expect("the rest has defaults");
    assert_eq!((smallest.mode, smallest.seal), (Mode::Strict, SealRule::Refused));
    assert_eq!((smallest.committer, smallest.revoked.len()), (CommitterRule::AnySigner, 0));
}

#[test]
fn a35_a_policy_file_that_is_not_understood_is_refused_with_its_place() {
    let (one, two) = (key(), key());
    let alice = format!("principals:\n  - name: alice\n    ssh: [{one}]\n");
    let limited = format!("{alice}    paths: [apps/]\n");
    let fingerprint = "0123456789abcdef".repeat(3);
    let pgp = |id: &str| format!("principals:\n  - name: alice\n    pgp: [{{ fingerprint: \"{id}\", file: k.asc }}]\n");
    let table = [
        ("principals: []\n".to_owned(), "names no key"),
        (String::new(), "policy.yaml"),
        ("mode: lax\n".to_owned() + &alice, "policy.yaml:1:7"),
        ("commiter: anyone\n".to_owned() + &alice, "policy.yaml:1:1: unknown field `commiter`"),
        (format!("{alice}  - name: alice\n    ssh: [{two}]\n"), "`alice` stands in two principals"),
        (format!("{alice}  - name: bob\n    ssh: [{one}]\n"), "stands here twice"),
        (format!("{alice}  - name: bob\n"), "this principal has no key"),
        (alice.replace("name: alice", "name: \"!alice\""), "admits nobody"),
        (alice.replace("ssh-ed25519", "ssh-rsa"), "cannot be read"),
        (format!("{alice}    paths: []\n"), "may change nothing"),
        (format!("{alice}    paths: [../up]\n"), "not a path in the repository"),
        (format!("{alice}    not_after: 2026-01-01\n"), "write it in UTC"),
        (format!("{alice}    not_before: 2027-01-01T00:00:00Z\n    not_after: 2026-01-01T00:00:00Z\n"), "never valid"),
        (format!("{alice}revoked: [{{ key: DEADBEEF, since: 2026-01-01T00:00:00Z }}]\n"), "short id"),
        (format!("{alice}revoked: [{{ key: DEADBEEF }}]\n"), "policy.yaml:4"),
        (format!("seal: sometimes\n{alice}"), "policy.yaml:1"),
        (format!("seal: []\n{alice}"), "nobody may seal"),
        (format!("seal: [bob]\n{alice}"), "`bob` is no principal who may change every file"),
        (format!("seal: [alice]\n{limited}"), "`alice` is no principal who may change every file"),
        (pgp("DEADBEEF"), "short id"),
        (pgp("0123456789ABCDEF"), "short id"),
        (pgp(&fingerprint), "longer than 40"),
        (pgp(&fingerprint[..40]), if cfg!(feature = "openpgp") { "k.asc" } else { "--features openpgp" }),
    ];
    for (text, wanted) in table {
        let said = read(&text).expect_err(&text).to_string();
        assert!(said.contains(wanted), "{text}\n{said}");
    }
}
