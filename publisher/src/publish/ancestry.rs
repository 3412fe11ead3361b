//! Whether a commit may follow the one that a region has: what is asked, not how it is answered.

use schema::CommitId;

/// Knows the history of the commit that is to be published. Asked on a thread that may block.
pub trait Ancestry: Send + Sync {
    /// How `standing`, the commit that a region has, relates to the commit to be published.
    ///
    /// # Errors
    /// [`AncestryError`] where the repository cannot tell.
    fn relation(&self, standing: &CommitId) -> Result<Relation, AncestryError>;
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
    /// The commit that a region has.
    pub standing: CommitId,
    /// What git says.
    #[source]
    pub source: git2::Error,
}
