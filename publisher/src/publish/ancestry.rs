//! Whether a commit may follow the one that a region has, and what an earlier commit was and had: what is asked, not how it is
//! answered.

use schema::{App, CommitId, Digest, Region, TreeId};

use crate::compile::{BlobId, Layout, ObjectsError};

/// Knows the history of the commit that is to be published. Asked on a thread that may block.
pub trait Ancestry: Send + Sync {
    /// How `standing`, the commit that a region has, relates to the commit to be published.
    ///
    /// # Errors
    /// [`AncestryError`] where the repository cannot tell.
    fn relation(&self, standing: &CommitId) -> Result<Relation, AncestryError>;

    /// Compiles `earlier` anew and gives what it is, if it is in the history of the commit to be published and has the bundle
    /// `digest` of `app`. So a signature can be added to a manifest that was signed for an earlier commit.
    ///
    /// # Errors
    /// [`AncestryError`] where the repository cannot tell.
    fn origin(&self, earlier: &CommitId, app: &App, digest: &Digest) -> Result<Option<Origin>, AncestryError>;

    /// Where things lie in the bundle of `app` that `earlier` has for `region`, if the repository has that commit and it compiles.
    ///
    /// # Errors
    /// [`AncestryFault`] where the repository cannot tell.
    fn layout(&self, earlier: &CommitId, app: &App, region: &Region) -> Result<Option<Layout>, AncestryFault>;

    /// The contents of `blobs`, in their order.
    ///
    /// # Errors
    /// [`AncestryFault`] where one cannot be read.
    fn blobs(&self, blobs: &[BlobId]) -> Result<Vec<Vec<u8>>, AncestryFault>;
}

/// What an earlier commit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its tree.
    pub tree: TreeId,
    /// How many commits are reachable from it.
    pub release_seq: u64,
}

/// How the commit that a region has relates to the commit to be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It is the same one, or in its history: the region may go on.
    Contained,
    /// It has the commit to be published in its own history: this publisher is behind.
    Ahead,
    /// Neither, or it is unknown here.
    Apart,
}

/// Says that the repository could not tell how commits are related.
#[derive(Debug, thiserror::Error)]
#[error("how the branch relates to commit {} cannot be read from the repository", standing.short())]
pub struct AncestryError {
    /// The commit that a region or a manifest has.
    pub standing: CommitId,
    /// What is in the way.
    #[source]
    pub source: AncestryFault,
}

/// Why a repository could not tell.
#[derive(Debug, thiserror::Error)]
pub enum AncestryFault {
    /// Its history cannot be walked.
    #[error(transparent)]
    Git(#[from] git2::Error),
    /// The objects of a commit cannot be read.
    #[error(transparent)]
    Objects(#[from] ObjectsError),
}
