//! Signatures of a manifest that wait for others, where the release role needs more than one.
//!
//! In: what stands in each signer's place. Out: the payloads that they signed, and a manifest once enough of them signed one.
//! Each piece is read under exactly the key that its place belongs to, so whoever else writes there is not heard.

use std::collections::BTreeMap;

use bytes::Bytes;
use schema::keys::SecretKey;
use schema::seal::Payload;
use schema::{App, CommitId, Digest, Limits, Manifest, PublicKey, RoleKeys, Sealed, StorePath, Verified};
use store::{Failure, StoreError};

use super::bundle_error::BundleFault;
use crate::publisher::Publisher;

/// The valid pieces of one bundle's manifest.
pub(crate) struct Pieces {
    role: RoleKeys,
    valid: Vec<Piece>,
}

/// One signer's signature, and what it is over.
struct Piece {
    key: PublicKey,
    sealed: Sealed,
    manifest: Verified<Manifest>,
}

impl Pieces {
    /// Reads the place of each key of the release role. What is not that key's signature counts as nothing.
    pub(crate) async fn read(publisher: &Publisher, app: &App, digest: &Digest) -> Result<Pieces, StoreError> {
        let role = publisher.root().release.clone();
        let mut valid = Vec::new();
        for key in role.keys() {
            let path = StorePath::Piece { app: app.clone(), digest: *digest, key: key.fingerprint() };
            let bytes = match publisher.store.read(&path, Limits::DEFAULT.manifest_max_bytes).await {
                Ok(Some(object)) => object.bytes,
                Ok(None) => continue,
                Err(StoreError { kind: Failure::TooLarge { .. }, .. }) => {
                    tracing::warn!("Object {path} is too large for the signature of a manifest, passed over");
                    continue;
                }
                Err(error) => return Err(error),
            };
            match Piece::open(bytes, key) {
                Some(piece) if (&piece.manifest.app, &piece.manifest.digest) == (app, digest) => valid.push(piece),
                _ => tracing::warn!("Object {path} is not that key's signature of this manifest, passed over"),
            }
        }
        Ok(Pieces { role, valid })
    }

    /// What was signed, each payload once: the one of the earliest commit first. All signers see the same order, so they come
    /// to sign the same.
    pub(crate) fn payloads(&self) -> Vec<&Verified<Manifest>> {
        let mut payloads: BTreeMap<(u64, Digest), &Verified<Manifest>> = BTreeMap::new();
        for Piece { manifest, .. } in &self.valid {
            payloads.entry((manifest.release_seq, manifest.payload_digest())).or_insert(manifest);
        }
        payloads.into_values().collect()
    }

    /// Who signed this bundle as one of `commit`.
    pub(crate) fn signer_for(&self, commit: &CommitId) -> Option<&PublicKey> {
        self.valid.iter().find(|piece| piece.manifest.commit == *commit).map(|piece| &piece.key)
    }

    /// How many of the role's keys signed `payload`.
    pub(super) fn count(&self, payload: Digest) -> usize {
        self.over(payload).count()
    }

    /// Whether each of `keys` signed `payload`.
    pub(super) fn has_all(&self, payload: Digest, keys: &[&SecretKey]) -> bool {
        keys.iter().all(|key| self.over(payload).any(|piece| piece.key == *key.public()))
    }

    /// The largest number of keys that signed one payload.
    pub(super) fn most(&self) -> usize {
        self.payloads().into_iter().map(|payload| self.count(payload.payload_digest())).max().unwrap_or(0)
    }

    fn over(&self, payload: Digest) -> impl Iterator<Item = &Piece> {
        self.valid.iter().filter(move |piece| piece.manifest.payload_digest() == payload)
    }

    /// The manifest, where enough keys signed one payload. Verified like anybody else's.
    pub(super) fn joined(&self) -> Option<Verified<Manifest>> {
        self.payloads().into_iter().find_map(|payload| {
            let mut pieces = self.over(payload.payload_digest());
            let first = pieces.next()?;
            let joined = first.sealed.join::<Manifest>(pieces.map(|piece| &piece.sealed), &Limits::DEFAULT).ok()?;
            joined.verify(&self.role).ok()
        })
    }

    /// Puts the signatures of `keys` over `payload` into their places, but for those that are there.
    pub(super) async fn add(
        &self,
        publisher: &Publisher,
        payload: &Payload<Manifest>,
        keys: &[&SecretKey],
    ) -> Result<(), BundleFault> {
        let Manifest { app, digest, .. } = payload.document();
        for key in keys {
            if self.over(payload.digest()).any(|piece| piece.key == *key.public()) {
                continue;
            }
            let sealed = payload.clone().seal(&[key]);
            let place = key.public().fingerprint();
            publisher.store.put_piece(app, digest, &place, sealed.bytes().clone()).await?;
            // A crash from here on leaves a signature that says what the next start would sign again.
            fail::fail_point!("publish-piece-stored");
        }
        Ok(())
    }
}

impl Piece {
    fn open(bytes: Bytes, key: &PublicKey) -> Option<Piece> {
        let alone = RoleKeys::new(1, vec![key.clone()]).expect("one key meets a threshold of one");
        let sealed = Sealed::parse::<Manifest>(bytes, &Limits::DEFAULT).ok()?;
        let manifest = sealed.clone().verify::<Manifest>(&alone).ok()?;
        Some(Piece { key: key.clone(), sealed, manifest })
    }
}
