//! Puts a sealed file together from signatures that were made apart: by several people, or by several processes.
//!
//! In: a payload line and `.minisig` files, or sealed files of one payload. Out: one sealed file. Nothing is verified here: what
//! is assembled is worth what [`Sealed::verify`] says of it.

use bytes::Bytes;

use super::block::UNTRUSTED_COMMENT;
use super::{Document, SealError, Sealed};
use crate::limits::Limits;

impl Sealed {
    /// Joins a payload line with the signature files that the stock tool wrote for it. Their untrusted comments, which nobody
    /// signed, become the one that the format has.
    ///
    /// # Errors
    /// [`SealError`] where the payload is no line, a file is no signature, or all of it is too large.
    pub fn assemble<T: Document>(payload: &[u8], signatures: &[&str], limits: &Limits) -> Result<Sealed, SealError> {
        let mut bytes = payload.to_vec();
        for signature in signatures {
            let signed = signature.split_once('\n').map_or("", |(_, signed)| signed);
            bytes.extend_from_slice(format!("{UNTRUSTED_COMMENT}\n{}\n", signed.trim_end()).as_bytes());
        }
        Sealed::parse::<T>(Bytes::from(bytes), limits)
    }

    /// One sealed file with the signatures of this one and of `others`; those over another payload are left out.
    ///
    /// # Errors
    /// [`SealError`] where there are more signatures, or more bytes, than a sealed file may have.
    pub fn join<'s, T: Document>(
        &self,
        others: impl IntoIterator<Item = &'s Sealed>,
        limits: &Limits,
    ) -> Result<Sealed, SealError> {
        let mut bytes = self.bytes.to_vec();
        for other in others.into_iter().filter(|other| other.payload() == self.payload()) {
            bytes.extend_from_slice(&other.bytes[other.payload_len..]);
        }
        Sealed::parse::<T>(Bytes::from(bytes), limits)
    }

    /// The sealed file, byte for byte.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

#[cfg(all(test, feature = "sign"))]
mod tests {
    use super::*;
    use crate::keys::{RoleKeys, SecretKey};
    use crate::pointer::Pointer;
    use crate::seal::{Payload, Verified};

    const POINTER: &[u8] = include_bytes!("../../golden/pointer");

    fn payload() -> Payload<Pointer> {
        let line = POINTER.split_inclusive(|byte| *byte == b'\n').next().expect("a line");
        Payload::parse(line, &Limits::DEFAULT).expect("the golden pointer")
    }

    fn two_of(one: &SecretKey, two: &SecretKey) -> RoleKeys {
        RoleKeys::new(2, vec![one.public().clone(), two.public().clone()]).expect("a role")
    }

    #[test]
    fn signatures_made_apart_make_one_seal() {
        let (one, two) = (SecretKey::generate(), SecretKey::generate());
        let payload = payload();
        let renamed = payload.sign(&two).replacen("signature from minisign secret key", "mine, of Monday\r", 1);
        let assembled = Sealed::assemble::<Pointer>(payload.line(), &[&payload.sign(&one), &renamed], &Limits::DEFAULT);
        assert!(assembled.expect("two signatures").verify::<Pointer>(&two_of(&one, &two)).is_ok());
        assert!(Sealed::assemble::<Pointer>(payload.line(), &[], &Limits::DEFAULT).is_err());
        assert!(Sealed::assemble::<Pointer>(payload.line(), &["nonsense"], &Limits::DEFAULT).is_err());
    }

    #[test]
    fn only_signatures_over_the_same_payload_are_joined() {
        let (one, two) = (SecretKey::generate(), SecretKey::generate());
        let parse = |bytes: &Bytes| Sealed::parse::<Pointer>(bytes.clone(), &Limits::DEFAULT).expect("a seal");
        let pointer = payload().document().clone();
        let newer = Pointer { generation: pointer.generation.next().expect("a next"), ..pointer.clone() };
        let mine = parse(Verified::seal(pointer.clone(), &[&one]).bytes());
        let yours = parse(Verified::seal(pointer, &[&two]).bytes());
        let other = parse(Verified::seal(newer, &[&two]).bytes());
        let verdict = |others: &[&Sealed]| {
            let joined = mine.join::<Pointer>(others.iter().copied(), &Limits::DEFAULT).expect("a seal");
            joined.verify::<Pointer>(&two_of(&one, &two)).is_ok()
        };
        assert!(verdict(&[&yours]) && verdict(&[&other, &yours]));
        assert!(!verdict(&[]) && !verdict(&[&other]) && !verdict(&[&mine]));
    }
}
