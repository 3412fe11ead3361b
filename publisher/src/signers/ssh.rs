//! Reads and checks SSHSIG signatures, and says which SSH keys are strong enough to be believed.

use ssh_key::{Algorithm, Fingerprint, HashAlg, LineEnding, PublicKey, SshSig};

use super::refusal::SignatureRefusal;

/// The smallest RSA modulus that is believed.
const RSA_MIN_BITS: usize = 2048;

/// The bit that a hardware token sets when somebody touched it.
const USER_PRESENT: u8 = 1;

/// Refuses keys that are too weak, or of a kind that is not judged here.
///
/// # Errors
/// What is wrong with it, as a fragment.
pub(super) fn check_strength(key: &PublicKey) -> Result<(), String> {
    let algorithm = key.algorithm();
    match algorithm {
        Algorithm::SkEcdsaSha2NistP256 => {
            return Err(format!(
                "has a `{algorithm}` key, which is not supported; make one of type ed25519-sk, or ed25519"
            ));
        }
        Algorithm::Dsa => return Err("has a DSA key, which is too weak to trust; use ed25519".to_owned()),
        Algorithm::Ed25519 | Algorithm::SkEd25519 | Algorithm::Ecdsa { .. } | Algorithm::Rsa { .. } => {}
        _ => {
            return Err(format!(
                "has a `{}` key, which is not supported; use ed25519",
                algorithm.as_str().escape_debug()
            ));
        }
    }
    if let Some(rsa) = key.key_data().rsa() {
        let bits = rsa.n.as_positive_bytes().map_or(0, |bytes| bytes.len() * 8);
        if bits < RSA_MIN_BITS {
            return Err(format!("has an RSA key of {bits} bits, the least is {RSA_MIN_BITS}; use ed25519"));
        }
    }
    Ok(())
}

/// The key, as `ssh-keygen -l` shows it.
pub(super) fn fingerprint(signature: &SshSig) -> String {
    Fingerprint::new(HashAlg::Sha256, signature.public_key()).to_string()
}

/// Parses an armoured signature, in the one spelling that ssh-keygen writes.
pub(super) fn read(armoured: &[u8]) -> Result<SshSig, SignatureRefusal> {
    let signature = SshSig::from_pem(armoured).map_err(SignatureRefusal::Malformed)?;
    // The parser forgives lengths that are wrong and bits that are left over. Line breaks may be anywhere.
    let written = signature.to_pem(LineEnding::LF).map_err(SignatureRefusal::Malformed)?;
    let letters = |text: &[u8]| text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>();
    // The version is not signed over, and one below the first is let pass by others.
    let is_ours = signature.version() == SshSig::VERSION && letters(written.as_bytes()) == letters(armoured);
    if is_ours { Ok(signature) } else { Err(SignatureRefusal::OddlySpelt) }
}

/// Checks that `signature` was made for `namespace`.
pub(super) fn check_namespace(signature: &SshSig, namespace: &'static str) -> Result<(), SignatureRefusal> {
    if signature.namespace() == namespace {
        return Ok(());
    }
    let offered = signature.namespace().to_owned();
    Err(SignatureRefusal::Namespace { namespace: offered, wanted: namespace, fingerprint: fingerprint(signature) })
}

/// Checks that `key` made `signature` over `payload`.
pub(super) fn verify(
    key: &PublicKey,
    namespace: &str,
    payload: &[u8],
    signature: &SshSig,
) -> Result<(), SignatureRefusal> {
    if key.verify(namespace, payload, signature).is_err() {
        return Err(SignatureRefusal::Forged { fingerprint: fingerprint(signature) });
    }
    let bytes = signature.signature_bytes();
    if key.algorithm() == Algorithm::SkEd25519 {
        // After the signature itself come one byte of flags and four of a counter.
        let flags = bytes.len().checked_sub(5).and_then(|at| bytes.get(at)).copied().unwrap_or(0);
        if flags & USER_PRESENT == 0 {
            return Err(SignatureRefusal::Untouched { fingerprint: fingerprint(signature) });
        }
    }
    Ok(())
}
