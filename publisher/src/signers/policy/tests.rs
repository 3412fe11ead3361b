use std::fs;
use std::process::Command;

use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey};

#[cfg(feature = "openpgp")]
use super::super::pgp::PgpRefusal;
use super::*;

mod openssh;
mod tokens;

const PAYLOAD: &[u8] = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nmessage\n";

fn key() -> PrivateKey {
    PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap()
}

fn line(options: &str, key: &PrivateKey) -> String {
    format!("alice@example.com {options} {}\n", key.public_key().to_openssh().unwrap())
}

fn sign(key: &PrivateKey, namespace: &str) -> String {
    key.sign(namespace, HashAlg::Sha512, PAYLOAD).unwrap().to_pem(LineEnding::LF).unwrap()
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn judge(policy: &str, signature: &str, first_seen: &str) -> Result<Signer, SignatureRefusal> {
    let commit = Signed { signature: Some(signature.as_bytes()), payload: PAYLOAD, committer: "bob@example.com" };
    SignerPolicy::parse(policy).expect("a good policy").judge(commit, moment(first_seen))
}

const NOON: &str = "2026-08-01T12:00:00.000Z";

#[test]
fn a_signature_by_an_allowed_key_names_its_signer() {
    for hash in [HashAlg::Sha256, HashAlg::Sha512] {
        let key = key();
        let signature = key.sign("git", hash, PAYLOAD).unwrap().to_pem(LineEnding::LF).unwrap();
        let signer = judge(&line("namespaces=\"file,git\"", &key), &signature, NOON).expect("allowed");
        assert_eq!(signer.principal.to_string(), "alice@example.com");
        assert_eq!(signer.key_fingerprint, key.fingerprint(HashAlg::Sha256).to_string());
    }
}

#[test]
fn a28_no_signature_and_unknown_keys_are_refused() {
    let policy = SignerPolicy::parse(&line("", &key())).unwrap();
    let unsigned = Signed { signature: None, payload: PAYLOAD, committer: "" };
    assert_eq!(policy.judge(unsigned, moment(NOON)), Err(SignatureRefusal::Unsigned));

    let stranger = key();
    let refused = judge(&line("", &key()), &sign(&stranger, "git"), NOON).expect_err("unknown");
    let fingerprint = stranger.fingerprint(HashAlg::Sha256).to_string();
    assert_eq!(refused, SignatureRefusal::UnknownKey { fingerprint: fingerprint.clone() });
    assert!(refused.to_string().contains(&fingerprint));
}

#[test]
fn other_kinds_of_signature_are_named() {
    let policy = line("", &key());
    let pgp = judge(&policy, "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n", NOON);
    #[cfg(not(feature = "openpgp"))]
    assert_eq!(pgp, Err(SignatureRefusal::OpenPgpNotBuilt));
    #[cfg(feature = "openpgp")]
    assert!(matches!(pgp, Err(SignatureRefusal::OpenPgp(PgpRefusal::Malformed(_)))), "{pgp:?}");
    let x509 = judge(&policy, "-----BEGIN SIGNED MESSAGE-----\nMII=\n-----END SIGNED MESSAGE-----\n", NOON);
    assert_eq!(x509, Err(SignatureRefusal::NotSsh { kind: "X.509" }));
    for garbage in ["", "x", "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"] {
        assert!(matches!(judge(&policy, garbage, NOON), Err(SignatureRefusal::Malformed(_))), "{garbage:?}");
    }
}

#[test]
fn a34_a_signature_for_another_namespace_is_refused() {
    let key = key();
    for namespace in ["file", "git ", "Git", "git\0"] {
        let refused = judge(&line("", &key), &sign(&key, namespace), NOON);
        assert!(matches!(refused, Err(SignatureRefusal::Namespace { .. })), "{namespace:?} {refused:?}");
    }
}

#[test]
fn a_signature_over_other_bytes_is_forged() {
    let key = key();
    let other = key.sign("git", HashAlg::Sha512, b"other").unwrap().to_pem(LineEnding::LF).unwrap();
    assert!(matches!(judge(&line("", &key), &other, NOON), Err(SignatureRefusal::Forged { .. })));

    // Each flipped byte of the decoded signature is noticed one way or another.
    let good = sign(&key, "git");
    let policy = line("", &key);
    let body: Vec<usize> = good.char_indices().filter(|(_, c)| c.is_ascii_alphanumeric()).map(|(at, _)| at).collect();
    for &at in &body[40..body.len() - 40] {
        let mut bytes = good.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        if bytes != good.as_bytes() {
            assert!(judge(&policy, std::str::from_utf8(&bytes).unwrap(), NOON).is_err(), "byte {at}");
        }
    }
}

#[test]
fn a30_validity_counts_at_the_moment_of_first_sight_with_both_ends_included() {
    let key = key();
    let policy = line("valid-after=\"20260801Z\",valid-before=\"202609010000Z\"", &key);
    let signature = sign(&key, "git");
    assert!(matches!(
        judge(&policy, &signature, "2026-07-31T23:59:59.999Z"),
        Err(SignatureRefusal::NotYetValid { .. })
    ));
    assert!(judge(&policy, &signature, "2026-08-01T00:00:00.000Z").is_ok());
    assert!(judge(&policy, &signature, "2026-09-01T00:00:00.000Z").is_ok());
    let late = judge(&policy, &signature, "2026-09-01T00:00:00.001Z").expect_err("expired");
    assert!(matches!(late, SignatureRefusal::Expired { .. }), "{late:?}");
    assert!(late.to_string().contains("2026-09-01T00:00:00.001Z"), "{late}");

    // A second line for the same key fills the gap.
    let renewed = policy + &line("valid-after=\"20261001Z\"", &key);
    assert!(judge(&renewed, &signature, "2026-09-15T00:00:00.000Z").is_err());
    assert!(judge(&renewed, &signature, "2026-10-01T00:00:00.000Z").is_ok());
}

#[test]
fn a34_a_policy_may_bind_the_committer_to_the_key() {
    let key = key();
    let commit = |committer| Signed {
        signature: Some(SIGNATURE.get_or_init(|| sign(&key, "git")).as_bytes()),
        payload: PAYLOAD,
        committer,
    };
    static SIGNATURE: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let lines = format!(
        "{}*@ops.example.com,!guest@ops.example.com {}",
        line("", &key),
        key.public_key().to_openssh().unwrap()
    );
    let free = SignerPolicy::parse(&lines).unwrap();
    let bound = free.clone().with_committer_rule(CommitterRule::MustBeSigner);
    for (committer, admitted) in [
        ("alice@example.com", true),
        ("bob@ops.example.com", true),
        ("guest@ops.example.com", false),
        ("mallory@example.com", false),
    ] {
        assert!(free.judge(commit(committer), moment(NOON)).is_ok());
        let judged = bound.judge(commit(committer), moment(NOON));
        assert_eq!(judged.is_ok(), admitted, "{committer}: {judged:?}");
    }
}

#[test]
fn a35_a_policy_that_is_empty_or_not_understood_is_refused_with_its_line() {
    for empty in ["", "\n\n", "# only a comment\n"] {
        assert_eq!(SignerPolicy::parse(empty).err(), Some(InvalidPolicy::Empty));
    }
    let key = key().public_key().to_openssh().unwrap();
    let table = [
        (format!("alice cert-authority {key}"), "certificates are not supported"),
        (format!("alice CERT-AUTHORITY,namespaces=\"git\" {key}"), "certificates are not supported"),
        (format!("alice no-touch-required {key}"), "unknown option `no-touch-required`"),
        (format!("alice namespaces=\"file\" {key}"), "add `git`"),
        (format!("alice namespaces=\"*\" {key}"), "add `git`"),
        (format!("alice namespaces=git {key}"), "double quotes"),
        (format!("alice namespaces {key}"), "without a value"),
        (format!("alice namespaces=\"git\",namespaces=\"git\" {key}"), "twice"),
        (format!("alice valid-before=\"20260801\" {key}"), "end it with `Z`"),
        (format!("alice valid-after=\"20270101Z\",valid-before=\"20260101Z\" {key}"), "never valid"),
        (format!("alice namespaces=\"git\", {key}"), "unknown option ``"),
        (format!("alice \"namespaces {key}"), "not closed"),
        (format!("!alice {key}"), "admits nobody"),
        (format!("alice,, {key}"), "empty principal"),
        (key.clone(), "starts with the key"),
        ("alice".to_owned(), "has no key"),
        ("alice ssh-ed25519 AAAA".to_owned(), "cannot be read"),
        (format!("alice {key}").replace(" ssh-ed25519", " ssh-rsa"), "cannot be read"),
        ("alice sk-ecdsa-sha2-nistp256@openssh.com AAAAInNrLWVjZHNhLXNoYTItbmlzdHAyNTZAb3BlbnNzaC5jb20AAAAIbmlzdHAyNTYAAABBBIELQJ2DgvaX1yQlKFokfWM2suuaCFI2qp0eJodHyg6O4ifxc3XpRKd1OS8dNYQtE/YjdXSrA+AOnMF5ns2Nkx4AAAAEc3NoOg== a".to_owned(), "ed25519-sk"),
    ];
    for (text, wanted) in table {
        let refused = SignerPolicy::parse(&format!("# who may\n{text}\n")).expect_err(&text);
        let said = refused.to_string();
        assert!(said.starts_with("line 2 ") && said.contains(wanted), "{text}\n{said}");
    }
}

#[test]
fn quoted_principals_comments_blanks_and_windows_line_ends_are_read() {
    let key = key();
    let public = key.public_key().to_openssh().unwrap();
    let text =
        format!("\r\n  # comment\r\n\t\"alice@example.com,bob\"  namespaces=\"git\"\t {public} a comment of words\r\n");
    assert!(judge(&text, &sign(&key, "git"), NOON).is_ok());
}

/// What real OpenSSH makes: the public line, and a signature over [`PAYLOAD`].
fn ssh_keygen(kind: &str, bits: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("payload"), PAYLOAD).unwrap();
    for arguments in [
        &["-q", "-t", kind, "-b", bits, "-N", "", "-f", "key"][..],
        &["-q", "-Y", "sign", "-n", "git", "-f", "key", "payload"],
    ] {
        let done = Command::new("ssh-keygen")
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .expect("ssh-keygen is installed");
        assert!(done.status.success(), "{done:?}");
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    (format!("alice {}", read("key.pub")), read("payload.sig"))
}

#[test]
fn every_kind_of_key_that_openssh_makes_is_believed() {
    for (kind, bits) in [("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"), ("ecdsa", "521"), ("rsa", "2048")] {
        let (policy, signature) = ssh_keygen(kind, bits);
        assert_eq!(judge(&policy, &signature, NOON).map(|_| ()), Ok(()), "{kind} {bits}");
    }
}

#[test]
fn short_rsa_keys_are_refused() {
    let refused = SignerPolicy::parse(&ssh_keygen("rsa", "1024").0).expect_err("too short");
    assert!(refused.to_string().contains("1024 bits"), "{refused}");
}
