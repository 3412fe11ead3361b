//! Seals a manifest's payload: at once where our keys suffice, else together with other signers.

use bytes::Bytes;
use schema::seal::Payload;
use schema::{App, Digest, Limits, Manifest, Sealed, StorePath, Verified};

use super::bundle_error::BundleFault;
use super::pieces::Pieces;
use crate::publisher::Publisher;

/// How far the sealing of a manifest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sealing {
    /// Enough keys signed, and it stands in the store.
    Complete,
    /// More have to sign.
    Awaiting {
        /// How many did.
        signed: usize,
        /// How many must.
        threshold: usize,
    },
}

/// Signs `payload` with our release keys and stores it at `path` once enough keys signed.
pub(super) async fn seal(
    publisher: &Publisher,
    payload: Payload<Manifest>,
    path: &StorePath,
) -> Result<Sealing, BundleFault> {
    let (root, payload_digest) = (publisher.root(), payload.digest());
    let Manifest { app, digest, .. } = payload.document();
    let (app, digest) = (app.clone(), *digest);
    let ours = publisher.keys.for_release(root);
    if ours.len() >= root.release.threshold() {
        return store(publisher, path, payload.seal(&ours)).await.map(|()| Sealing::Complete);
    }
    Pieces::read(publisher, &app, &digest).await?.add(publisher, &payload, &ours).await?;
    publisher.agreed.add(payload_digest);
    // Read again: whoever signed at the same time sees ours, or we see theirs.
    let pieces = Pieces::read(publisher, &app, &digest).await?;
    match join(publisher, &pieces, path).await? {
        Sealing::Complete => Ok(Sealing::Complete),
        Sealing::Awaiting { threshold, .. } => {
            Ok(Sealing::Awaiting { signed: pieces.count(payload_digest), threshold })
        }
    }
}

/// How far the signing of the bundle's manifest is, where we signed the payload that comes first, or `payload`, and others have
/// not yet: then there is nothing to do but wait, and nothing is compressed, compiled or read again for it. With what it says.
pub(super) async fn awaiting(
    publisher: &Publisher,
    app: &App,
    digest: &Digest,
    payload: Option<Digest>,
) -> Result<Option<(Sealing, Manifest)>, BundleFault> {
    let root = publisher.root();
    let (ours, threshold) = (publisher.keys.for_release(root), root.release.threshold());
    if ours.is_empty() || ours.len() >= threshold {
        return Ok(None);
    }
    let pieces = Pieces::read(publisher, app, digest).await?;
    let is_ours = |digest: Digest| publisher.agreed.has(digest) && pieces.has_all(digest, &ours);
    // The one that is asked for, else the first.
    let mut payloads = pieces.payloads().into_iter();
    let payload = payloads.find(|manifest| payload.is_none_or(|payload| manifest.payload_digest() == payload));
    let Some(payload) = payload.filter(|manifest| is_ours(manifest.payload_digest())) else {
        return Ok(None);
    };
    let signed = pieces.count(payload.payload_digest());
    Ok((signed < threshold).then(|| (Sealing::Awaiting { signed, threshold }, Manifest::clone(payload))))
}

/// Stores at `path` what enough signers signed, if they did. Needs no key.
pub(super) async fn join(publisher: &Publisher, pieces: &Pieces, path: &StorePath) -> Result<Sealing, BundleFault> {
    match pieces.joined() {
        Some(manifest) => store(publisher, path, manifest).await.map(|()| Sealing::Complete),
        None => Ok(Sealing::Awaiting { signed: pieces.most(), threshold: publisher.root().release.threshold() }),
    }
}

async fn store(publisher: &Publisher, path: &StorePath, manifest: Verified<Manifest>) -> Result<(), BundleFault> {
    let bytes: Bytes = manifest.bytes().clone();
    // Another publisher of the same bundle may have come first: its signature differs, its right to sign does not. What stands
    // there is judged when it is read back.
    let _ours_or_theirs = publisher.store.create(path, bytes).await?;
    fail::fail_point!("publish-manifest-stored");
    Ok(())
}

/// The payload of a manifest, as the very bytes that were signed.
pub(super) fn payload_of(manifest: &Verified<Manifest>) -> Payload<Manifest> {
    let sealed = Sealed::parse::<Manifest>(manifest.bytes().clone(), &Limits::DEFAULT);
    let sealed = sealed.expect("a verified manifest has the grammar of one");
    Payload::parse(sealed.payload(), &Limits::DEFAULT).expect("and its payload was parsed before")
}

/// Where the manifest of a bundle stands.
pub(super) fn manifest_path(app: &App, digest: &Digest) -> StorePath {
    StorePath::Manifest { app: app.clone(), digest: *digest }
}
