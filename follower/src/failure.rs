//! Who failed, and how: one [`Failure`] for each base URL that was asked in vain.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;

use crate::base_url::BaseUrl;
use crate::fault::Fault;

/// One base URL that was asked in vain.
///
/// `E` is the caller's own error, where the caller judges what was served.
#[derive(Debug)]
pub struct Failure<E = Infallible> {
    /// Who was asked.
    pub base: BaseUrl,
    /// What came of it.
    pub reason: Reason<E>,
}

/// What came of asking one base URL.
#[derive(Debug, thiserror::Error)]
pub enum Reason<E = Infallible> {
    /// It gave nothing.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It gave something, and the caller refused it.
    #[error("serves what was refused")]
    Refused(#[source] E),
}

impl<E> Reason<E> {
    /// Whether the base URL answered that it has no such object.
    pub fn is_absent(&self) -> bool {
        matches!(self, Reason::Fault(fault) if fault.is_absent())
    }
}

/// Everyone who was asked in vain, in the order of asking.
///
/// As text it is one line, with each failure's own causes, because a chain of sources cannot fork.
#[derive(Debug)]
pub struct Failures<E = Infallible>(Vec<Failure<E>>);

impl<E> Failures<E> {
    /// The failures, first asked first.
    pub fn iter(&self) -> std::slice::Iter<'_, Failure<E>> {
        self.0.iter()
    }

    /// Whether nobody failed.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all of them answered that they have no such object.
    pub fn are_absences(&self) -> bool {
        !self.is_empty() && self.iter().all(|failure| failure.reason.is_absent())
    }

    pub(crate) fn none() -> Failures<E> {
        Failures(Vec::new())
    }

    pub(crate) fn add(&mut self, base: &BaseUrl, reason: impl Into<Reason<E>>) -> &Failure<E> {
        self.0.push_mut(Failure { base: base.clone(), reason: reason.into() })
    }
}

impl<E> IntoIterator for Failures<E> {
    type Item = Failure<E>;
    type IntoIter = std::vec::IntoIter<Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a Failures<E> {
    type Item = &'a Failure<E>;
    type IntoIter = std::slice::Iter<'a, Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: Error + 'static> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.base, self.reason)?;
        let mut cause = self.reason.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl<E: Error + 'static> fmt::Display for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{failure}")?;
        }
        Ok(())
    }
}
