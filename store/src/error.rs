//! What went wrong, with which object of which store, and whether asking again can help.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use object_store::Error as Cause;

use crate::{Store, refusal};

/// An operation that failed. It says nothing of what stands in the store: an error never means "empty".
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} `{object}` in store `{store}`")]
pub struct StoreError {
    /// The store's name, as in its URL.
    pub store: Arc<str>,
    /// What was tried.
    pub doing: Doing,
    /// Path of the object, or of the folder that was to be listed.
    pub object: Box<str>,
    /// Why it failed.
    #[source]
    pub kind: Failure,
}

impl StoreError {
    /// Whether the same operation may succeed later without anyone stepping in.
    ///
    /// After a failed write, read before writing again: see [`Failure::Unknown`].
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

impl Store {
    pub(crate) fn error(&self, doing: Doing, object: impl ToString, kind: Failure) -> StoreError {
        StoreError { store: Arc::clone(&self.name), doing, object: object.to_string().into(), kind }
    }
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Reading an object.
    Read,
    /// Writing an object.
    Write,
    /// Listing a folder.
    List,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Read => "read",
            Doing::Write => "write",
            Doing::List => "list",
        })
    }
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The storage did not answer, or answered that it cannot for now.
    #[error("the store is unreachable")]
    Unreachable(#[source] Cause),
    /// No answer in time.
    #[error("no answer within {} s", .after.as_secs())]
    TimedOut {
        /// How long it was waited for.
        after: Duration,
    },
    /// A body that was cut short, or ran on.
    #[error("{received} bytes came where {announced} were announced")]
    WrongLength {
        /// Bytes that came.
        received: u64,
        /// Bytes that were announced.
        announced: u64,
    },
    /// A conditional write was turned down though nothing else was seen to stand there.
    #[error("another write is in the way")]
    Contested(#[source] Cause),
    /// The answer to a write was lost and what stands there could not be learnt in [`RESOLVE_WITHIN`](crate::RESOLVE_WITHIN).
    #[error("whether it took effect is unknown after {} s; read the store again before writing anything", .waited.as_secs())]
    Unknown {
        /// How long it was tried to find out.
        waited: Duration,
        /// Why the last try failed.
        #[source]
        last: Box<Failure>,
    },
    /// The credentials, or the permissions of the directory, do not allow it.
    #[error("access denied; check the AWS_* credentials and the bucket's policy, or the directory's permissions")]
    Denied(#[source] Cause),
    /// The storage understood, and will not: no such bucket, disk full, no conditional writes.
    #[error("the store refuses")]
    Refused(#[source] Cause),
    /// More bytes than the caller allows; none of them was kept.
    #[error("{size} bytes are more than the {max_bytes} allowed")]
    TooLarge {
        /// Bytes the object has.
        size: u64,
        /// Bytes allowed.
        max_bytes: u64,
    },
    /// More names than anything here lists.
    #[error("a listing of more than {max} names was cut off")]
    TooMany {
        /// Names allowed.
        max: usize,
    },
    /// A range that starts behind the object's end.
    #[error("byte {start} was asked for, but the object has {size} bytes")]
    OutOfRange {
        /// First byte asked for.
        start: u64,
        /// Bytes the object has.
        size: u64,
    },
    /// A pointer without an ETag cannot be replaced, only overwritten blindly.
    #[error("the store gives it no ETag; use one with conditional writes")]
    NoEtag,
}

impl Failure {
    /// Whether asking again may help; see [`StoreError::is_retryable`].
    pub fn is_retryable(&self) -> bool {
        match self {
            Failure::Unreachable(_)
            | Failure::TimedOut { .. }
            | Failure::WrongLength { .. }
            | Failure::Contested(_)
            | Failure::Unknown { .. } => true,
            Failure::Denied(_)
            | Failure::Refused(_)
            | Failure::TooLarge { .. }
            | Failure::TooMany { .. }
            | Failure::OutOfRange { .. }
            | Failure::NoEtag => false,
        }
    }
}

impl From<Cause> for Failure {
    /// Sorts what `object_store` reports; absence and "not modified" are answers, so the caller takes them out first.
    fn from(cause: Cause) -> Failure {
        match cause {
            Cause::AlreadyExists { .. } | Cause::Precondition { .. } => Failure::Contested(cause),
            Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. } => Failure::Denied(cause),
            Cause::NotFound { .. }
            | Cause::NotModified { .. }
            | Cause::NotSupported { .. }
            | Cause::NotImplemented { .. }
            | Cause::InvalidPath { .. }
            | Cause::UnknownConfigurationKey { .. } => Failure::Refused(cause),
            _ if refusal::marked(&cause) => Failure::Refused(cause),
            _ => Failure::Unreachable(cause),
        }
    }
}
