//! Finds what others signed as bundles of a commit that does not compile to them.

use std::collections::{BTreeMap, BTreeSet};

use schema::{App, CommitId, Digest, PublicKey};
use store::StoreError;

use crate::publish::Pieces;
use crate::publisher::Publisher;

/// A bundle that somebody signed as what a commit compiles to, and that it does not compile to here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("app `{app}`: bundle {offered} was offered, signed by {signer}, and here it compiles to {}", list(compiled))]
pub struct Mismatch {
    /// The app.
    pub app: App,
    /// As offered.
    pub offered: Digest,
    /// Who signed the offer.
    pub signer: PublicKey,
    /// What it compiles to here, in one region or another.
    pub compiled: Vec<Digest>,
}

/// The offers for `commit` that are not among `compiled`. What already has a manifest was decided before.
pub(super) async fn mismatches<'c>(
    publisher: &Publisher,
    commit: &CommitId,
    compiled: impl Iterator<Item = (&'c App, Digest)>,
) -> Result<Vec<Mismatch>, StoreError> {
    let mut ours: BTreeMap<&App, BTreeSet<Digest>> = BTreeMap::new();
    for (app, digest) in compiled {
        ours.entry(app).or_default().insert(digest);
    }
    let mut found = Vec::new();
    for (app, compiled) in ours {
        let seals = publisher.store.seals(app).await?;
        let offered: BTreeSet<Digest> = seals.pieces.into_iter().map(|(digest, _)| digest).collect();
        for offered in
            offered.into_iter().filter(|digest| !compiled.contains(digest) && !seals.manifests.contains(digest))
        {
            let pieces = Pieces::read(publisher, app, &offered).await?;
            if let Some(signer) = pieces.signer_for(commit) {
                let (app, compiled) = (app.clone(), compiled.iter().copied().collect());
                found.push(Mismatch { app, offered, signer: signer.clone(), compiled });
            }
        }
    }
    Ok(found)
}

fn list(digests: &[Digest]) -> String {
    digests.iter().map(Digest::to_string).collect::<Vec<_>>().join(" or ")
}
