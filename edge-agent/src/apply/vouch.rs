//! Third step: the manifest, which says who vouches for the bundle and what exactly is vouched for.

use bytes::Bytes;
use follower::Reason;
use schema::cycle::{NotVouched, vouch};
use schema::{Digest, Limits, Manifest, StorePath, TrustRoot, Verified};

use super::host::Verdict;
use super::setback::in_one_line;
use super::{Enclosed, Host, Intended, Setback};
use crate::journal::Intent;
use crate::rule::Rule;

/// A generation whose bundle has a manifest that verified.
pub(crate) struct Vouched {
    pub(super) intent: Intent,
    pub(super) manifest: Verified<Manifest>,
    /// What came with the pointer.
    pub(super) enclosed: Enclosed,
    /// The trust root that it was verified against.
    pub(super) root: Digest,
}

impl Intended {
    /// Takes the manifest that came with the pointer or, where none did that verifies, fetches it from the first base URL that has
    /// the right one.
    ///
    /// # Errors
    /// [`Setback::Manifest`].
    pub(super) async fn vouch(self, host: &Host) -> Result<Vouched, Setback> {
        let Intended { target, intent, enclosed } = self;
        let root = host.site.trust.newest();
        let app = &host.site.about.app;
        let check = |bytes: Bytes| vouch(bytes, &root, app, target, &Limits::DEFAULT);
        let manifest = match take(host, &enclosed, target.digest, check) {
            Some(manifest) => manifest,
            None => fetch(host, &root, target.digest, check).await?,
        };
        Ok(Vouched { intent, manifest, enclosed, root: root.payload_digest() })
    }
}

/// The manifest of `digest` that came with the pointer, if one did and it passes `check`. Another one counts as refused.
fn take(
    host: &Host,
    enclosed: &Enclosed,
    digest: Digest,
    check: impl Fn(Bytes) -> Result<Verified<Manifest>, NotVouched>,
) -> Option<Verified<Manifest>> {
    match check(enclosed.manifest(digest)?) {
        Ok(manifest) => Some(manifest),
        Err(refused) => {
            host.site.refused(Some(Rule::of_manifest(&refused)));
            let why = in_one_line(&refused);
            tracing::warn!(bundle = %digest, "The manifest that came with the pointer is refused, and fetched: {why}");
            None
        }
    }
}

/// Fetches the manifest of `digest`: as it was sealed first, or, where only the keys that sealed it have gone, as it was sealed
/// again for the release keys of `root`.
pub(super) async fn fetch(
    host: &Host,
    root: &TrustRoot,
    digest: Digest,
    check: impl Fn(Bytes) -> Result<Verified<Manifest>, NotVouched>,
) -> Result<Verified<Manifest>, Setback> {
    let (mirrors, app) = (&host.site.mirrors, host.site.about.app.clone());
    let max_bytes = Limits::DEFAULT.manifest_max_bytes;
    let first = StorePath::Manifest { app: app.clone(), digest };
    let refused = match mirrors.fetch(&first, max_bytes, &check).await {
        Ok(manifest) => return Ok(manifest),
        Err(refused) => refused,
    };
    let is_unsigned = |reason: &Reason<NotVouched>| matches!(reason, Reason::Refused(why) if why.is_unsigned());
    if refused.failures.iter().any(|failure| is_unsigned(&failure.reason)) {
        let again = StorePath::Resealed { app, digest, role: root.release.fingerprint() };
        match mirrors.fetch(&again, max_bytes, &check).await {
            Ok(manifest) => return Ok(manifest),
            // Nobody sealed it again, so what is wrong is what was found in the first place.
            Err(absent) if absent.is_absent() => {}
            Err(other) => return Err(Setback::Manifest { digest, source: Box::new(other) }),
        }
    }
    Err(Setback::Manifest { digest, source: Box::new(refused) })
}

impl Vouched {
    /// Records that the bundle, which runs already, is what this generation asks for too. No hook runs: nothing changed.
    pub(super) async fn confirm(self, host: &mut Host) -> Result<(), Setback> {
        let intent = self.intent;
        let generation = intent.order.generation;
        host.tell(&intent, Verdict::applied(&intent, 0)).await?;
        tracing::info!(%generation, bundle = %intent.target, "Generation {generation} asks for what runs already");
        Ok(())
    }
}
