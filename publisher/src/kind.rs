//! What callers decide by when something failed: exit codes, retries, the colour of a light.

use store::{Failure, StoreError};

/// How an operation failed, as far as anybody outside has to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// A rule forbids it; it will be refused again until somebody changes what was offered.
    Refused,
    /// Somebody else was first, more often than was tried.
    LostRace,
    /// The store or the repository cannot be reached for now.
    Unreachable,
    /// None of these: the environment or a bug.
    Unexpected,
}

impl From<&StoreError> for ErrorKind {
    fn from(error: &StoreError) -> ErrorKind {
        match error.is_retryable() {
            true => ErrorKind::Unreachable,
            false if is_oversized(error) => ErrorKind::Refused,
            false => ErrorKind::Unexpected,
        }
    }
}

/// Whether something larger than any object of its kind stands in the store: damage, and no failure of the store.
pub(crate) fn is_oversized(error: &StoreError) -> bool {
    matches!(error.kind, Failure::TooLarge { .. })
}
