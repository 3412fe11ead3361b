//! Keys on hardware tokens. No token is at hand, so the test signs as one does; real OpenSSH confirms that it does it right.

use std::io::Write as _;
use std::process::{Command, Stdio};

use schema::Digest;
use signature::Signer as _;
use ssh_key::public::{KeyData, SkEd25519};
use ssh_key::{PublicKey, Signature, SshSig};

use super::*;

const APPLICATION: &str = "ssh:";

/// What a token signs: digests of application and message, and between them flags and a counter.
fn sign_as_token(key: &PrivateKey, flags: u8) -> (PublicKey, String) {
    let pair = key.key_data().ed25519().expect("an ed25519 key");
    let public = PublicKey::from(KeyData::SkEd25519(SkEd25519::new(pair.public, APPLICATION)));
    let message = SshSig::signed_data("git", HashAlg::Sha512, PAYLOAD).unwrap();
    let trailer = [flags, 0, 0, 0, 7];
    let sha256 = |bytes: &[u8]| hex::decode(Digest::of(bytes).to_string()).unwrap();
    let signed = [&sha256(APPLICATION.as_bytes())[..], &trailer, &sha256(&message)].concat();
    let bytes = [pair.sign(&signed).as_bytes(), &trailer].concat();
    let signature = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
    let signature = SshSig::new(public.key_data().clone(), "git", HashAlg::Sha512, signature).unwrap();
    (public, signature.to_pem(LineEnding::LF).unwrap())
}

fn openssh_accepts(policy: &str, signature: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("signers"), policy).unwrap();
    fs::write(folder.path().join("signature"), signature).unwrap();
    let mut verify = Command::new("ssh-keygen");
    verify.args(["-Y", "verify", "-n", "git", "-I", "alice@example.com", "-f", "signers", "-s", "signature"]);
    verify.current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut verify = verify.spawn().expect("ssh-keygen is installed");
    verify.stdin.take().unwrap().write_all(PAYLOAD).unwrap();
    verify.wait().unwrap().success()
}

#[test]
fn a_token_that_was_touched_is_believed_and_one_that_was_not_is_not() {
    let key = key();
    let (public, touched) = sign_as_token(&key, 1);
    let policy = format!("alice@example.com {}\n", public.to_openssh().unwrap());
    assert!(openssh_accepts(&policy, &touched), "the test signs as a token does");
    assert_eq!(judge(&policy, &touched, NOON).map(|_| ()), Ok(()));

    let (_, untouched) = sign_as_token(&key, 0);
    // OpenSSH asks for the touch when somebody logs in, and not here.
    assert!(openssh_accepts(&policy, &untouched));
    assert!(matches!(judge(&policy, &untouched, NOON), Err(SignatureRefusal::Untouched { .. })));

    // The same point under another kind of key is another key.
    let plain = line("", &key);
    assert!(matches!(judge(&plain, &touched, NOON), Err(SignatureRefusal::UnknownKey { .. })));
}
