//! Rebuilds what others offer for signing, and co-signs it only where the bytes are the same.
//!
//! In: a commit that was proven here, and its bundles, compiled here. Out: signatures beside those of others, over their very
//! payloads, or the offers that are something else. Never the first to sign, and stores no bundle: whoever steals the publisher
//! that does gets nothing new past this one.

mod offers;

use std::collections::BTreeMap;
use std::sync::Arc;

use schema::{App, CommitId, Digest};
use store::StoreError;

use crate::compile::{Compilation, CompiledBundle};
use crate::kind::ErrorKind;
use crate::proof::VerifiedCommit;
use crate::publish::{Ancestry, BundleError, Report, Wanted, a_few_at_a_time, seal_bundle};
use crate::publisher::Publisher;
pub use offers::Mismatch;

/// Co-signs the manifests of the bundles in `compilation` that others signed, and gives those that wait for more signers.
///
/// # Errors
/// [`RebuildError`]. Bundles that were reproduced are signed all the same.
pub(crate) async fn rebuild(
    publisher: &Publisher,
    commit: &VerifiedCommit,
    compilation: &Compilation,
    ancestry: &Arc<dyn Ancestry>,
) -> Result<Report, RebuildError> {
    let bundles = compilation.bundles.iter();
    // Each bundle once, however many regions share it.
    let bundles: BTreeMap<(&App, Digest), &Arc<CompiledBundle>> =
        bundles.map(|((app, _), bundle)| ((app, bundle.summary.digest), bundle)).collect();
    let signing =
        bundles.values().map(|bundle| seal_bundle(publisher, commit, ancestry, Wanted::alone(Arc::clone(bundle))));
    let (mut waiting, mut refused) = (Vec::new(), None);
    for awaited in a_few_at_a_time(signing.collect()).await {
        match awaited {
            Ok(awaited) => waiting.extend(awaited),
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    // Said first: it tells why nobody offers what was compiled here.
    let mut mismatches = offers::mismatches(publisher, commit.id(), bundles.keys().copied()).await?;
    if !mismatches.is_empty() {
        let first = Box::new(mismatches.remove(0));
        return Err(RebuildError::Mismatch { commit: commit.id().clone(), first, others: mismatches });
    }
    if let Some(error) = refused {
        return Err(RebuildError::Bundle(Box::new(error)));
    }
    Ok(Report::waiting(waiting))
}

/// Says why a commit was not rebuilt, or not to what was offered.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// Somebody signed another bundle as what the commit compiles to.
    #[error(
        "commit {} does not compile to what was signed for it; {} offers are not co-signed", commit.short(), 1 + others.len()
    )]
    Mismatch {
        /// The commit.
        commit: CommitId,
        /// The first offer.
        #[source]
        first: Box<Mismatch>,
        /// All others.
        others: Vec<Mismatch>,
    },
    /// What stands in the store in a bundle's name.
    #[error(transparent)]
    Bundle(Box<BundleError>),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RebuildError {
    /// What the caller decides by.
    pub fn kind(&self) -> ErrorKind {
        match self {
            RebuildError::Mismatch { .. } => ErrorKind::Refused,
            RebuildError::Bundle(error) => error.kind(),
            RebuildError::Store(error) => error.into(),
        }
    }

    /// What to do about it, where somebody can do something.
    pub fn hint(&self) -> Option<String> {
        match self {
            RebuildError::Mismatch { .. } => Some(
                "find out whether the publisher that signed it runs another version of this program; if not, take its keys out of \
                 the trust root, for somebody else may have them"
                    .to_owned(),
            ),
            RebuildError::Bundle(error) => error.hint(),
            RebuildError::Store(_) => None,
        }
    }
}
