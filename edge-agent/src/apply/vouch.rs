//! Third step: the manifest, which says who vouches for the bundle and what exactly is vouched for.

use bytes::Bytes;
use schema::pointer::Target;
use schema::seal::SealError;
use schema::{App, Digest, Limits, Manifest, StorePath, TrustRoot, Verified};

use super::host::Verdict;
use super::{Host, Intended, Setback};
use crate::journal::Intent;

/// A generation whose bundle has a manifest that verified.
pub(crate) struct Vouched {
    pub(super) intent: Intent,
    pub(super) manifest: Verified<Manifest>,
}

/// Says why a manifest does not vouch for the bundle that the pointer names.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotVouched {
    /// Not signed by those who may.
    #[error("its seal does not hold")]
    Seal(#[from] SealError),
    /// A manifest, but not the one that the pointer names.
    #[error("mix-and-match: manifest {found} is not {named}, which the pointer names")]
    Other {
        /// As served.
        found: Digest,
        /// As signed in the pointer.
        named: Digest,
    },
    /// Of another bundle.
    #[error("mix-and-match: it is the manifest of bundle {digest} of app `{app}`")]
    OtherBundle {
        /// The app it is for.
        app: App,
        /// The bundle it is for.
        digest: Digest,
    },
    /// Released before the floor.
    #[error("release {release_seq} is below the floor {floor} of the trust root")]
    BelowFloor {
        /// As signed.
        release_seq: u64,
        /// The lowest that is accepted.
        floor: u64,
    },
    /// Taken back.
    #[error("the trust root revokes the bundle")]
    Revoked,
}

impl Intended {
    /// Fetches the manifest, from the first base URL that has the right one.
    ///
    /// # Errors
    /// [`Setback::Manifest`].
    pub(super) async fn vouch(self, host: &Host) -> Result<Vouched, Setback> {
        let Intended { target, intent } = self;
        let (app, digest) = (host.site.about.app.clone(), target.digest);
        let limits = Limits::DEFAULT;
        let root = host.site.trust.newest();
        let path = StorePath::Manifest { app: app.clone(), digest };
        let check = |bytes: Bytes| vouches(bytes, &root, &app, target);
        let fetched = host.site.mirrors.fetch(&path, limits.manifest_max_bytes, check).await;
        let manifest = fetched.map_err(|source| Setback::Manifest { digest, source: Box::new(source) })?;
        Ok(Vouched { intent, manifest })
    }
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

fn vouches(bytes: Bytes, root: &TrustRoot, app: &App, target: Target) -> Result<Verified<Manifest>, NotVouched> {
    let manifest = Verified::<Manifest>::open(bytes, &root.release, &Limits::DEFAULT)?;
    if manifest.payload_digest() != target.manifest {
        return Err(NotVouched::Other { found: manifest.payload_digest(), named: target.manifest });
    }
    if (&manifest.app, manifest.digest) != (app, target.digest) {
        return Err(NotVouched::OtherBundle { app: manifest.app.clone(), digest: manifest.digest });
    }
    if manifest.release_seq < root.release_floor {
        return Err(NotVouched::BelowFloor { release_seq: manifest.release_seq, floor: root.release_floor });
    }
    if root.revoked.contains(&target.digest) {
        return Err(NotVouched::Revoked);
    }
    Ok(manifest)
}
