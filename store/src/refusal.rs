//! What a backend puts into the chain of causes where it knows that asking again will not help.
//!
//! `object_store` folds most of what can go wrong into one `Generic` variant. A directory and a bucket know more than
//! that: a full disk and a missing bucket stay what they are, a time-out does not. They mark the former with a
//! [`Refusal`], and [`marked`] finds the mark however deep it is.

use std::error::Error;

/// A request that will fail the same way again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the disk refused it")]
    Disk(#[source] object_store::Error),
    #[cfg(feature = "s3")]
    #[error("the server answered {status}{}", .code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Server { status: http::StatusCode, code: Option<String> },
    #[cfg(feature = "s3")]
    #[error("the answer is not a whole page of a listing; is the endpoint one that speaks S3?")]
    NoListing,
}

/// Whether `error` or any of its causes is a [`Refusal`].
pub(crate) fn marked(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<Refusal>())
}

/// `error`, its cause, the cause of that, and so on.
pub(crate) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
