//! What can keep a generation from coming to a result. It is tried again.

use std::error::Error;

use follower::{DownloadError, FetchError};
use schema::Digest;
use schema::ack::{Outcome, Step};
use schema::cycle::NotVouched;

use crate::journal::JournalError;
use crate::state::AppFolder;
use crate::tree::{DiskError, UnpackError};

/// Says why there is no result yet. Whatever runs goes on running.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Setback {
    /// No manifest that vouches for the bundle could be had.
    #[error("nothing vouches for bundle {digest}")]
    Manifest {
        /// The bundle.
        digest: Digest,
        /// What each base URL offered instead.
        #[source]
        source: Box<FetchError<NotVouched>>,
    },
    /// The bytes that were signed could not be had.
    #[error("bundle {digest} cannot be had")]
    Bundle {
        /// The bundle.
        digest: Digest,
        /// What each base URL offered instead.
        #[source]
        source: Box<DownloadError>,
    },
    /// The bytes are those that were signed, but no bundle.
    #[error("bundle {digest} cannot be staged")]
    Unpack {
        /// The bundle.
        digest: Digest,
        /// What is wrong with it.
        #[source]
        source: UnpackError,
    },
    /// The host's own disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The journal cannot be relied on any more.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A newer pointer or trust root came before the switch.
    #[error("something newer came")]
    Overtaken,
    /// The agent is to stop.
    #[error("the agent stops")]
    Shutdown,
}

impl Setback {
    /// What to tell about it, unless it is about the agent itself.
    pub(crate) fn verdict(&self) -> Option<(Outcome, Step)> {
        match self {
            Setback::Manifest { .. } => Some((Outcome::Refused, Step::Verify)),
            Setback::Bundle { source, .. } if source.is_retryable() => Some((Outcome::Refused, Step::Fetch)),
            Setback::Bundle { .. } => Some((Outcome::Failed, Step::Disk)),
            Setback::Unpack { source: UnpackError::Disk(_), .. } | Setback::Disk(_) => {
                Some((Outcome::Failed, Step::Disk))
            }
            Setback::Unpack { .. } => Some((Outcome::Refused, Step::Stage)),
            Setback::Journal(_) | Setback::Overtaken | Setback::Shutdown => None,
        }
    }

    /// What to tell people about it, the object first. `folder` is the app's, which they know.
    pub(crate) fn reason(&self, folder: &AppFolder) -> Box<str> {
        let text = match self {
            Setback::Manifest { digest, source } => {
                format!("manifest of bundle {}: {}", digest.short(), source.failures)
            }
            Setback::Bundle { digest, source } => match source.as_ref() {
                DownloadError::Unavailable { failures, .. } => format!("bundle {}: {failures}", digest.short()),
                DownloadError::Sink { source, .. } => format!("bundle {} cannot be written: {source}", digest.short()),
            },
            Setback::Unpack { digest, source } => format!("bundle {}: {}", digest.short(), in_one_line(source)),
            Setback::Disk(_) | Setback::Journal(_) | Setback::Overtaken | Setback::Shutdown => in_one_line(self).into(),
        };
        brief(&text, folder)
    }
}

/// An error and its causes in one line that fits into an ack and is safe to show.
pub(crate) fn in_one_line(error: &dyn Error) -> Box<str> {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // A transparent error repeats what it wraps.
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    shorten(&text, LINE_MAX)
}

/// Makes `text` fit into the one line of an ack that an operator reads: digests by their first digits, paths from the app's
/// folder on.
pub(crate) fn brief(text: &str, folder: &AppFolder) -> Box<str> {
    let prefix = format!("{}/", folder.path().display());
    let mut short = String::new();
    for word in text.replace(&prefix, "").split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let (alone, end) = word.split_at(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
        match alone.parse::<Digest>() {
            Ok(digest) => short.push_str(&digest.short()),
            Err(_) => short.push_str(alone),
        }
        short.push_str(end);
    }
    shorten(&short, REASON_MAX)
}

/// Cuts what people read to `max` characters, in the middle: both ends tell most.
fn shorten(text: &str, max: usize) -> Box<str> {
    let printable: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if printable.len() <= max {
        return printable.into_iter().collect();
    }
    let head = max / 2 - 1;
    let tail = printable.len() - (max - head - CUT.len());
    printable[..head].iter().chain(&CUT).chain(&printable[tail..]).collect()
}

/// What stands for what was cut.
const CUT: [char; 3] = [' ', '…', ' '];
/// Characters of a line in the log and in the journal.
const LINE_MAX: usize = 600;
/// Characters of a reason in an ack.
const REASON_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_short_and_says_what_differs_in_the_first_place() {
        let folder = AppFolder::of("/var/lib/driftless".as_ref(), &"edge-proxy".parse().expect("a name"));
        let digest = Digest::of(b"new");
        let path = folder.version(&digest).join("conf.d/limits.yaml");
        let full = Setback::Disk(DiskError { path, doing: "written", source: std::io::ErrorKind::StorageFull.into() });
        let expected = format!("`versions/{}/conf.d/limits.yaml` cannot be written: no storage space", digest.short());
        assert_eq!(&*full.reason(&folder), expected);
        let source = UnpackError::Other { found: Digest::of(b"other"), signed: digest };
        let unpack = Setback::Unpack { digest, source }.reason(&folder);
        let (found, signed) = (Digest::of(b"other").short(), digest.short());
        assert_eq!(
            *unpack,
            *format!("bundle {signed}: the bundle is not the one that was signed: {found}, not {signed}")
        );
        let long = brief(&format!("check: {}the end", "said \n ".repeat(500)), &folder);
        assert_eq!(long.chars().count(), REASON_MAX);
        assert!(long.starts_with("check: said") && long.ends_with("the end"), "{long}");
    }
}
