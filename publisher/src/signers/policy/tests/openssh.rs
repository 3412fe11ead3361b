//! SSHSIG signatures with something wrong in them, and what real OpenSSH makes of certificates.

use std::process::{Child, Command};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// The parts of a signature: magic and version, public key, namespace, reserved, hash, signature.
fn raw(key: &PrivateKey) -> Vec<u8> {
    let armoured = sign(key, "git");
    let coded: String = armoured.lines().filter(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(coded).unwrap()
}

/// Puts `new` with its length in the place of `old` with its.
fn with(raw: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let field = |text: &[u8]| [&u32::try_from(text.len()).unwrap().to_be_bytes()[..], text].concat();
    let (old, new) = (field(old), field(new));
    let at = raw.windows(old.len()).position(|window| window == old).expect("it is in there");
    [&raw[..at], &new, &raw[at + old.len()..]].concat()
}

/// Armour as OpenSSH writes it: 70 letters a line.
fn armour(raw: &[u8]) -> String {
    let coded = STANDARD.encode(raw);
    let lines: Vec<&str> = coded.as_bytes().chunks(70).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
}

#[test]
fn a34_namespace_hash_and_version_are_read_from_what_is_signed() {
    let key = key();
    let policy = line("", &key);
    let good = raw(&key);
    assert!(judge(&policy, &armour(&good), NOON).is_ok(), "the parts are put together right");
    type Fits = fn(&SignatureRefusal) -> bool;
    let malformed: Fits = |refusal| matches!(refusal, SignatureRefusal::Malformed(_) | SignatureRefusal::OddlySpelt);
    let forged: Fits = |refusal| matches!(refusal, SignatureRefusal::Forged { .. });
    let namespace: Fits = |refusal| matches!(refusal, SignatureRefusal::Namespace { .. });
    let unknown: Fits = |refusal| matches!(refusal, SignatureRefusal::UnknownKey { .. });
    let of_version = |version: u8| [&good[..9], &[version], &good[10..]].concat();
    let mut trailing = good.clone();
    trailing.push(0);
    let public = key.public_key().to_bytes().unwrap();
    let table: [(&str, Vec<u8>, Fits); 10] = [
        ("another namespace", with(&good, b"git", b"file"), namespace),
        ("an empty namespace", with(&good, b"git", b""), malformed),
        ("a hash that it was not made with", with(&good, b"sha512", b"sha256"), forged),
        ("a weak hash", with(&good, b"sha512", b"sha1"), malformed),
        ("no hash", with(&good, b"sha512", b""), malformed),
        ("version 0", of_version(0), malformed),
        ("version 2", of_version(2), malformed),
        ("a byte too many", trailing, malformed),
        ("cut short", good[..good.len() - 1].to_vec(), malformed),
        ("somebody else's key", with(&good, &public, &super::key().public_key().to_bytes().unwrap()), unknown),
    ];
    for (what, raw, fits) in table {
        let refused = judge(&policy, &armour(&raw), NOON);
        assert!(refused.as_ref().is_err_and(fits), "{what}: {refused:?}");
    }
}

/// An agent that ends with the test.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        // Nothing to do about an agent that is gone already.
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

#[test]
fn a34_a_certificate_is_no_key_whatever_its_validity() {
    let folder = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let done = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .env("SSH_AUTH_SOCK", folder.path().join("agent"))
            .output()
            .expect("OpenSSH is installed");
        assert!(done.status.success(), "{program} {arguments:?}: {done:?}");
    };
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    fs::write(folder.path().join("payload"), PAYLOAD).unwrap();
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "ca"]);
    run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "key"]);
    let mut agent = Command::new("ssh-agent");
    agent.args(["-D", "-a", "agent"]).current_dir(folder.path()).stdout(std::process::Stdio::null());
    let _agent = Agent(agent.spawn().expect("OpenSSH is installed"));
    let started = std::time::Instant::now();
    while !folder.path().join("agent").exists() {
        assert!(started.elapsed().as_secs() < 30, "the agent starts");
        std::thread::yield_now();
    }
    for validity in ["20200101:20210101", "always:forever"] {
        run("ssh-keygen", &["-q", "-s", "ca", "-I", "alice", "-n", "alice@example.com", "-V", validity, "key.pub"]);
        run("ssh-add", &["-q", "key"]);
        run("ssh-keygen", &["-q", "-Y", "sign", "-n", "git", "-f", "key-cert.pub", "payload"]);
        // Neither the key itself nor its authority makes the certificate count.
        let policy = format!("alice {}\nca {}", read("key.pub"), read("ca.pub"));
        let refused = judge(&policy, &read("payload.sig"), NOON);
        assert!(
            matches!(refused, Err(SignatureRefusal::Malformed(_) | SignatureRefusal::UnknownKey { .. })),
            "{validity}: {refused:?}"
        );
        fs::remove_file(folder.path().join("payload.sig")).unwrap();
        run("ssh-add", &["-q", "-D"]);
    }
}
