//! Downloads a big object whose size and sha256 were signed: a bundle, or a patch.
//!
//! In: a store path, what was signed of it, a [`Sink`]. Out: the sink, holding exactly the signed bytes.

use std::io;

use schema::{Digest, StorePath};
use tracing::warn;

use crate::body::Body;
use crate::failure::Failures;
use crate::fault::Fault;
use crate::mirrors::{Mirrors, Purpose};
use crate::sink::{Sink, Writing};

/// What was signed of an object, about its bytes as they travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// How many bytes there are.
    pub size: u64,
    /// Their sha256.
    pub sha256: Digest,
}

/// A sink that holds exactly the bytes that were signed.
#[derive(Debug)]
pub struct Downloaded<S> {
    /// The sink, flushed but not synced to disk, and positioned after the last byte.
    pub sink: S,
    /// Bytes of bodies that moved over the network, those of wrong mirrors included.
    pub moved_bytes: u64,
}

/// Says why an object could not be downloaded. The sink is dropped, and what is in it is nothing to rely on.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No base URL gave the bytes that were signed.
    #[error("`{path}` could not be downloaded: {failures}")]
    Unavailable {
        /// What was asked for.
        path: StorePath,
        /// Why each base URL did not give it.
        failures: Failures,
        /// Bytes of bodies that moved for nothing.
        moved_bytes: u64,
    },
    /// The sink refused a write. Another mirror would not help.
    #[error("`{path}` could not be written")]
    Sink {
        /// What was being written.
        path: StorePath,
        /// Bytes of bodies that moved for nothing.
        moved_bytes: u64,
        /// What the sink said.
        #[source]
        source: io::Error,
    },
}

impl DownloadError {
    /// Whether asking again later may help without anything changing on this host.
    pub fn is_retryable(&self) -> bool {
        matches!(self, DownloadError::Unavailable { .. })
    }

    /// Whether every base URL answered that it has no such object.
    pub fn is_absent(&self) -> bool {
        matches!(self, DownloadError::Unavailable { failures, .. } if failures.are_absences())
    }

    /// Bytes of bodies that moved over the network all the same.
    pub fn moved_bytes(&self) -> u64 {
        match self {
            DownloadError::Unavailable { moved_bytes, .. } | DownloadError::Sink { moved_bytes, .. } => *moved_bytes,
        }
    }
}

impl Mirrors {
    /// Downloads the object at `path` into `sink`, from the first base URL that has the bytes that were signed.
    ///
    /// A body is given up at `expected.size` + 1 bytes, or before its first where it announces that many. The sink is
    /// restarted for every base URL that begins to send; hashing and writing do not block the runtime. When the returned
    /// future is dropped, what is queued, at most 1 MiB, may still reach the sink.
    ///
    /// # Errors
    /// [`DownloadError`], when each base URL has been asked once, or at once when the sink refuses.
    pub async fn download<S: Sink>(
        &self,
        path: &StorePath,
        expected: Expected,
        mut sink: S,
    ) -> Result<Downloaded<S>, DownloadError> {
        let mut failures = Failures::none();
        let mut moved_bytes = 0;
        for place in self.order(Purpose::Fetching) {
            let base = &self.bases()[place];
            let outcome = match self.open(base.object(path), expected.size).await {
                Ok(mut body) => {
                    let mut writing = Writing::begin(sink);
                    let sent = pour(&mut body, &mut writing).await;
                    moved_bytes += body.received();
                    let (written, sha256) = writing.finish().await.map_err(|source| DownloadError::Sink {
                        path: path.clone(),
                        moved_bytes,
                        source,
                    })?;
                    sink = written;
                    sent.and_then(|()| expected.judge(body.received(), sha256))
                }
                Err(fault) => Err(fault),
            };
            let Err(fault) = outcome else {
                self.worked(Purpose::Fetching, place);
                if !failures.is_empty() {
                    warn!(%path, %base, "Downloaded {path} from {base} after others failed: {failures}");
                }
                return Ok(Downloaded { sink, moved_bytes });
            };
            // An optional patch that is not there says nothing about who was asked.
            if !fault.is_absent() {
                self.failed(Purpose::Fetching, place);
            }
            failures.add(base, fault);
        }
        Err(DownloadError::Unavailable { path: path.clone(), failures, moved_bytes })
    }
}

/// Moves a body to where it is written, to its end or to the first thing that is wrong with it.
async fn pour<S: Sink>(body: &mut Body, writing: &mut Writing<S>) -> Result<(), Fault> {
    while let Some(chunk) = body.chunk().await? {
        if writing.write(chunk).await.is_err() {
            // Not the mirror's fault; `finish` says whose it is.
            break;
        }
    }
    Ok(())
}

impl Expected {
    fn judge(&self, received: u64, sha256: Digest) -> Result<(), Fault> {
        if received != self.size {
            return Err(Fault::TooShort { received, expected: self.size });
        }
        if sha256 != self.sha256 {
            return Err(Fault::WrongDigest { received: sha256, expected: self.sha256 });
        }
        Ok(())
    }
}
