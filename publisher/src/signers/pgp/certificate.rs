//! A certificate: a primary key, what it says of itself, and its subkeys.
//!
//! Everything that does not depend on a commit is decided when the key file is read: which keys may sign, and until when.

use pgp::armor::BlockType;
use pgp::crypto::public_key::PublicKeyAlgorithm;
use pgp::packet::{Packet, PublicKey, PublicSubkey, Signature, SignatureType, UserId};
use pgp::ser::Serialize as _;
use pgp::types::{KeyDetails, KeyVersion, Tag};
use schema::Timestamp;

use super::PgpRefusal;
use super::read;
use super::self_signature::{Fitness, Standing, newest};
use super::signature::{DetachedSignature, check_form, made};
use crate::signers::fingerprint::KeyFingerprint;

/// The smallest RSA modulus that is believed.
const RSA_MIN_BITS: u16 = 2048;

/// An OpenPGP key that a policy lists, with its subkeys.
#[derive(Clone, Debug)]
pub struct Certificate {
    fingerprint: KeyFingerprint,
    primary: PublicKey,
    standing: Standing,
    subkeys: Vec<Subkey>,
}

#[derive(Clone, Debug)]
struct Subkey {
    fingerprint: KeyFingerprint,
    key: PublicSubkey,
    standing: Standing,
}

/// Says why a key file is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificate {
    /// It is no OpenPGP key file.
    #[error("{0}; write it anew with `gpg --export --armor`")]
    Malformed(&'static str),
    /// It has other keys only.
    #[error("has no key with the fingerprint {0}")]
    NotThere(KeyFingerprint),
    /// The key cannot be believed.
    #[error("has a primary key that {0}")]
    Unfit(&'static str),
}

impl Certificate {
    /// Reads the certificate whose primary key is `fingerprint` from a key file, armoured or not.
    ///
    /// # Errors
    /// [`InvalidCertificate`], a fragment that goes on from the file's name.
    pub fn read(bytes: &[u8], fingerprint: &KeyFingerprint) -> Result<Certificate, InvalidCertificate> {
        let armoured = bytes.starts_with(b"-----BEGIN");
        let dearmored = if armoured {
            &read::dearmor(bytes, &BlockType::PublicKey).map_err(InvalidCertificate::Malformed)?
        } else {
            bytes
        };
        let packets = read::packets(dearmored).map_err(InvalidCertificate::Malformed)?;
        let mut wanted = None;
        for parts in Parts::split(packets)? {
            if name(&parts.primary) == Some(fingerprint.clone()) && wanted.replace(parts).is_some() {
                return Err(InvalidCertificate::Malformed("has that key twice"));
            }
        }
        wanted.ok_or_else(|| InvalidCertificate::NotThere(fingerprint.clone()))?.judge(fingerprint)
    }

    /// The whole fingerprint of the primary key.
    pub fn fingerprint(&self) -> &KeyFingerprint {
        &self.fingerprint
    }

    /// Whether `signature` says that a key of this certificate made it.
    pub(in crate::signers) fn has(&self, signature: &DetachedSignature) -> bool {
        let issuer = signature.issuer();
        self.fingerprint.as_str() == issuer || self.subkeys.iter().any(|subkey| subkey.fingerprint.as_str() == issuer)
    }

    /// Judges `signature` over `payload` by what holds at `first_seen`. The fingerprint of the key that made it.
    pub(in crate::signers) fn judge(
        &self,
        signature: &DetachedSignature,
        payload: &[u8],
        first_seen: Timestamp,
    ) -> Result<KeyFingerprint, PgpRefusal> {
        let issuer = signature.issuer();
        let subkey = self.subkeys.iter().find(|subkey| subkey.fingerprint.as_str() == issuer);
        let fits = match subkey {
            Some(subkey) => signature.signature.verify(&subkey.key, payload),
            None => signature.signature.verify(&self.primary, payload),
        };
        if fits.is_err() {
            return Err(PgpRefusal::Forged { key: issuer });
        }
        let (maker, standing, created) = match subkey {
            Some(subkey) => (&subkey.fingerprint, &subkey.standing, subkey.key.created_at()),
            None => (&self.fingerprint, &self.standing, self.primary.created_at()),
        };
        // What it says of its time proves nothing, but gpg refuses this, and so whoever looks with git sees what we see.
        if made(&signature.signature) < created.as_secs() {
            return Err(PgpRefusal::Malformed("says that it is older than the key that made it; sign it again"));
        }
        // A subkey counts for as long as its primary key does, whatever that one may sign.
        let primary = Standing {
            fitness: match self.standing.fitness {
                Fitness::Revoked => Fitness::Revoked,
                Fitness::MaySign | Fitness::Unfit(_) => Fitness::MaySign,
            },
            ..self.standing.clone()
        };
        primary.check(&self.fingerprint, first_seen)?;
        standing.check(maker, first_seen)?;
        match signature.until() {
            Some(until) if until <= first_seen => {
                Err(PgpRefusal::SignatureExpired { key: maker.to_string(), until, first_seen })
            }
            _ => Ok(maker.clone()),
        }
    }
}

impl Standing {
    fn check(&self, key: &KeyFingerprint, first_seen: Timestamp) -> Result<(), PgpRefusal> {
        let key = key.to_string();
        match (self.fitness, self.expires) {
            (Fitness::Revoked, _) => Err(PgpRefusal::Revoked { key }),
            (Fitness::Unfit(why), _) => Err(PgpRefusal::Unfit { key, why }),
            (Fitness::MaySign, Some(expired)) if expired <= first_seen => {
                Err(PgpRefusal::Expired { key, expired, first_seen })
            }
            (Fitness::MaySign, _) => Ok(()),
        }
    }
}

/// The packets of one certificate, each signature with what it is about.
struct Parts {
    primary: PublicKey,
    revoked: bool,
    direct: Vec<Signature>,
    users: Vec<User>,
    subkeys: Vec<SubkeyParts>,
}

struct User {
    /// None for a picture, whose signatures say nothing of the key.
    id: Option<UserId>,
    revoked: bool,
    certifications: Vec<Signature>,
}

struct SubkeyParts {
    key: PublicSubkey,
    revoked: bool,
    bindings: Vec<Signature>,
}

impl Parts {
    fn split(packets: Vec<Packet>) -> Result<Vec<Parts>, InvalidCertificate> {
        let mut all: Vec<Parts> = Vec::new();
        for packet in packets {
            if let Packet::PublicKey(primary) = packet {
                all.push(Parts { primary, revoked: false, direct: vec![], users: vec![], subkeys: vec![] });
                continue;
            }
            let Some(parts) = all.last_mut() else {
                return Err(InvalidCertificate::Malformed("does not begin with a public key"));
            };
            match packet {
                Packet::UserId(id) => parts.users.push(User { id: Some(id), revoked: false, certifications: vec![] }),
                Packet::UserAttribute(_) => {
                    parts.users.push(User { id: None, revoked: false, certifications: vec![] });
                }
                Packet::PublicSubkey(key) => {
                    parts.subkeys.push(SubkeyParts { key, revoked: false, bindings: vec![] });
                }
                Packet::Signature(signature) => parts.take(signature),
                Packet::Marker(_) | Packet::Trust(_) | Packet::Padding(_) => {}
                _ => return Err(InvalidCertificate::Malformed("has more than public keys in it")),
            }
        }
        Ok(all)
    }

    /// Files a signature under what it is about: the last packet before it, or, for a revocation of the key, all of it.
    fn take(&mut self, signature: Signature) {
        match (signature.typ(), self.subkeys.last_mut(), self.users.last_mut()) {
            (Some(SignatureType::SubkeyRevocation), Some(subkey), _) => subkey.revoked = true,
            (Some(SignatureType::KeyRevocation | SignatureType::SubkeyRevocation), _, _) => self.revoked = true,
            (_, Some(subkey), _) => subkey.bindings.push(signature),
            (Some(SignatureType::CertRevocation), None, Some(user)) => user.revoked = true,
            (_, None, Some(user)) => user.certifications.push(signature),
            (_, None, None) => self.direct.push(signature),
        }
    }

    fn judge(self, fingerprint: &KeyFingerprint) -> Result<Certificate, InvalidCertificate> {
        check_algorithm(&self.primary).map_err(InvalidCertificate::Unfit)?;
        let standing = self.standing()?;
        let subkeys = self.subkeys.iter().filter_map(|subkey| {
            let standing = subkey.standing(&self.primary);
            Some(Subkey { fingerprint: name(&subkey.key)?, key: subkey.key.clone(), standing })
        });
        let subkeys = subkeys.collect();
        Ok(Certificate { fingerprint: fingerprint.clone(), primary: self.primary, standing, subkeys })
    }

    fn standing(&self) -> Result<Standing, InvalidCertificate> {
        let direct = self.direct.iter().filter(|signature| signature.verify_key(&self.primary).is_ok());
        let users = self.users.iter().filter(|user| !user.revoked);
        let certified = users.filter_map(|user| user.id.as_ref().map(|id| (id, &user.certifications)));
        let certified = certified.flat_map(|(id, signatures)| {
            signatures.iter().filter(move |signature| {
                signature.verify_certification(&self.primary, Tag::UserId, id).is_ok() && signature.is_certification()
            })
        });
        let own: Vec<&Signature> = direct.chain(certified).collect();
        let strong = own.iter().copied().filter(|signature| check_form(signature).is_ok());
        match newest(strong) {
            _ if self.revoked => Ok(Standing { fitness: Fitness::Revoked, expires: None }),
            Some(newest) => Ok(Standing::by(newest, self.primary.created_at().as_secs())),
            None if own.is_empty() => Err(InvalidCertificate::Unfit("has not signed itself")),
            None => Err(InvalidCertificate::Unfit(
                "vouches for itself with a hash as weak as SHA-1 only, or in terms not understood here; renew it with `gpg \\
                 --quick-set-expire`",
            )),
        }
    }
}

impl SubkeyParts {
    fn standing(&self, primary: &PublicKey) -> Standing {
        if self.revoked {
            return Standing { fitness: Fitness::Revoked, expires: None };
        }
        let bindings = self.bindings.iter().filter(|binding| {
            binding.typ() == Some(SignatureType::SubkeyBinding)
                && check_form(binding).is_ok()
                && binding.verify_subkey_binding(primary, &self.key).is_ok()
        });
        let Some(newest) = newest(bindings) else {
            return Standing::unfit("is not bound to its primary key by a signature with SHA-256 or better");
        };
        let standing = Standing::by(newest, self.key.created_at().as_secs());
        if standing.fitness != Fitness::MaySign {
            return standing;
        }
        if let Err(why) = check_algorithm(&self.key) {
            return Standing::unfit(why);
        }
        let signed_back = newest.embedded_signature().is_some_and(|back| {
            check_form(back).is_ok() && back.verify_primary_key_binding(&self.key, primary).is_ok()
        });
        // Without it, anybody could bind somebody else's subkey to a key of their own.
        if signed_back { standing } else { Standing::unfit("has not signed that it belongs to its primary key") }
    }
}

/// The whole fingerprint of a key of version 4; others are not judged here.
fn name(key: &impl KeyDetails) -> Option<KeyFingerprint> {
    if key.version() != KeyVersion::V4 {
        return None;
    }
    hex::encode(key.fingerprint().as_bytes()).parse().ok()
}

fn check_algorithm(key: &impl KeyDetails) -> Result<(), &'static str> {
    use PublicKeyAlgorithm as Kind;
    match key.algorithm() {
        Kind::ECDSA | Kind::EdDSALegacy | Kind::Ed25519 | Kind::Ed448 => Ok(()),
        Kind::RSA => {
            // The modulus comes first, after its length in bits.
            let written = key.public_params().to_bytes().unwrap_or_default();
            let bits = written.first_chunk::<2>().map_or(0, |bits| u16::from_be_bytes(*bits));
            if bits < RSA_MIN_BITS { Err("is of RSA with less than 2048 bits; use ed25519") } else { Ok(()) }
        }
        _ => Err("is of a kind that is not believed here; use ed25519"),
    }
}
