//! Asks for what is no object of a store: a gateway's status, say.
//!
//! In: a path and a limit. Out: the answer of the first base URL that gives one. Nothing vouches for it.

use bytes::Bytes;
use http::uri::InvalidUri;

use crate::failure::Failures;
use crate::mirrors::{Mirrors, Purpose};

/// Says that no base URL answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Each was asked once.
    #[error("nobody answered what `{path}` is: {failures}")]
    Unavailable {
        /// What was asked for.
        path: String,
        /// Why each base URL did not answer.
        failures: Failures,
    },
    /// The path cannot be part of a URL.
    #[error("`{}` is not a path of a URL", path.escape_debug())]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        #[source]
        source: InvalidUri,
    },
}

impl Mirrors {
    /// Reads what stands at `path` below the base URLs, in turn, until one answers 200 with at most `max_bytes`.
    ///
    /// # Errors
    /// [`AskError`], when none gives an answer.
    pub async fn ask(&self, path: &str, max_bytes: u64) -> Result<Bytes, AskError> {
        let mut failures = Failures::none();
        for place in self.order(Purpose::Fetching) {
            let base = &self.bases()[place];
            let target = base.join(path).map_err(|source| AskError::Path { path: path.to_owned(), source })?;
            match async { self.open(target, max_bytes).await?.whole().await }.await {
                Ok(answer) => return Ok(answer),
                Err(fault) => _ = failures.add(base, fault),
            }
        }
        Err(AskError::Unavailable { path: path.to_owned(), failures })
    }
}
