//! Whether a version on the disk still is what was signed, and what is done where it is not.
//!
//! A version is read before it is switched to, and every version now and then (`keeper/scrub.rs`). Disks lose bits, and people
//! edit what they should not.

use bytes::Bytes;
use schema::cycle::NotVouched;
use schema::{Digest, Limits, Manifest, Order, TrustRoot, Verified};

use super::collect::take_out;
use super::setback::in_one_line;
use super::vouch::{self, Vouched};
use super::{About, Enclosed, Host, Setback, clock};
use crate::blocking::blocking;
use crate::journal::Intent;
use crate::tree::{RearchiveError, failed_at, rearchive};

impl Host {
    /// Whether the version of `digest` is whole: read now, unless it was since the start.
    ///
    /// It costs hashing the tree once, some five seconds a gigabyte, and only for what was neither unpacked nor scrubbed since the
    /// start. The way back after a hook refused does without: what it goes back to ran a moment before.
    pub(crate) async fn is_sound(&mut self, digest: &Digest) -> bool {
        self.sound.contains(digest) || self.reads_sound(digest).await
    }

    /// Reads the version of `digest`, whatever was known of it before.
    pub(crate) async fn reads_sound(&mut self, digest: &Digest) -> bool {
        let (version, digest) = (self.site.folder.version(digest), *digest);
        let read = blocking(move || rearchive(&version)).await;
        self.was_read(digest, read.as_ref().map(|summary| summary.digest))
    }

    /// Takes note of what the version of `digest` was found to be, and says whether that is what it should.
    pub(super) fn was_read(&mut self, digest: Digest, found: Result<Digest, &RearchiveError>) -> bool {
        let why = match found {
            Ok(found) if found == digest => {
                self.sound.insert(digest);
                return true;
            }
            Ok(found) => format!("it is {found}"),
            Err(error) => in_one_line(error).into(),
        };
        self.sound.remove(&digest);
        tracing::warn!(bundle = %digest, "DAMAGED: a version on the disk is not what was signed: {why}");
        false
    }
}

/// Fetches the bundle that runs once more, and puts it in the place of the damaged tree in one step; then lets the service
/// read it again. Gives up fetching when `overtaken` ends.
///
/// # Errors
/// [`Setback`]; the damaged tree is where it was, because half a configuration serves better than none.
pub(crate) async fn repair(
    host: &mut Host,
    digest: Digest,
    overtaken: impl Future<Output = ()>,
) -> Result<(), Setback> {
    let root = host.site.trust.newest();
    let check = |bytes: Bytes| describes(bytes, &root, &host.site.about, digest);
    let manifest = vouch::fetch(host, &root, digest, check).await?;
    let order = brought_by(host);
    let intent = Intent::unrecorded(order, digest, None, clock());
    let vouched = Vouched { intent, manifest, enclosed: Enclosed::default(), root: root.payload_digest() };
    vouched.fetch_and_place(host, overtaken).await?;
    if let Some(reload) = &host.site.hooks.reload
        && let Err(failure) = reload.run(&host.setting(order, digest, None)).await
    {
        tracing::error!(bundle = %digest, "The repaired version does not reload: {}", in_one_line(&failure));
    }
    Ok(())
}

/// Removes a damaged version that does not run; it is fetched again should it be wanted.
pub(crate) async fn remove_damaged(host: &mut Host, digest: Digest) -> Result<(), Setback> {
    let folder = host.site.folder.clone();
    let place = folder.version(&digest);
    Ok(blocking(move || take_out(&folder, &digest).map_err(failed_at(&place, "removed"))).await?)
}

/// The generation that brought what runs.
fn brought_by(host: &Host) -> Order {
    let state = host.ledger.state();
    let applied = state.applied.map(|applied| applied.intent.order);
    applied.or(state.seen.map(|seen| seen.order)).unwrap_or(Order::FIRST)
}

/// Whether a manifest that the release keys signed is that of the bundle that runs. No pointer needs to name it any more, and what
/// the trust root took back since is not brought in by this: it runs already.
fn describes(bytes: Bytes, root: &TrustRoot, about: &About, digest: Digest) -> Result<Verified<Manifest>, NotVouched> {
    let manifest = Verified::<Manifest>::open(bytes, &root.release, &Limits::DEFAULT)?;
    if (&manifest.app, manifest.digest) != (&about.app, digest) {
        return Err(NotVouched::OtherBundle { app: manifest.app.clone(), digest: manifest.digest });
    }
    Ok(manifest)
}
