//! Base URLs that serve the same store, and what is remembered of each.
//!
//! In: base URLs in order of preference. Out: requests to them, by `fetch.rs`, `search.rs`, `download.rs`, `post.rs` and
//! `pointer_follower.rs`. Trusts none of them, and is not put out by any of them.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use http::{Request, StatusCode};

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::credentials::CredentialsError;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::jitter;
use crate::line::{LineError, Roots};
use crate::ranking::Ranking;
use crate::settings::Settings;
use crate::target::Target;

/// A list of base URLs that serve the same store, in order of preference.
///
/// Cheap to clone; clones share connections, and share the memory of who failed: such a base URL is asked after the
/// others for about ten minutes, and then its place in the list counts again.
#[derive(Clone)]
pub struct Mirrors(Arc<Shared>);

struct Shared {
    bases: Vec<BaseUrl>,
    settings: Settings,
    exchange: Exchange,
    fetching: Mutex<Ranking>,
    /// Apart from `fetching`: a CDN is no worse at serving for taking no acks.
    posting: Mutex<Ranking>,
}

/// What a base URL was asked for, and is good or bad at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Fetching,
    Posting,
}

/// Says why a list of base URLs cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MirrorsError {
    /// The list is empty.
    #[error("no base URL to fetch from; give at least one")]
    NoBaseUrl,
    /// There is an `https` base URL, and no certificate authority to judge it by.
    #[error("no certificate authorities to check `{base}` against; install the system's, or set SSL_CERT_FILE")]
    NoRoots {
        /// The first such base URL.
        base: BaseUrl,
        /// What went wrong in loading them.
        #[source]
        source: io::Error,
    },
    /// [`Settings::credentials`] cannot be used.
    #[error("credentials cannot be used")]
    Credentials(#[source] CredentialsError),
}

impl Mirrors {
    /// Prepares to ask `bases`, the preferred one first. Reads the credentials, but sends nothing yet. Blocks.
    ///
    /// # Errors
    /// [`MirrorsError`], for which the configuration or the host must change.
    pub fn new(bases: Vec<BaseUrl>, settings: Settings) -> Result<Mirrors, MirrorsError> {
        if bases.is_empty() {
            return Err(MirrorsError::NoBaseUrl);
        }
        let https = bases.iter().find(|base| base.is_https());
        let roots = if https.is_some() { Roots::System } else { Roots::Nobody };
        let exchange = Exchange::new(settings.credentials.clone(), roots, settings.connect_within);
        let exchange = exchange.map_err(|error| match error {
            LineError::Credentials(source) => MirrorsError::Credentials(source),
            LineError::Roots(source) => {
                let base = https.expect("roots are read for an https base URL only").clone();
                MirrorsError::NoRoots { base, source }
            }
        })?;
        let fetching = Mutex::new(Ranking::new(bases.len()));
        let posting = Mutex::new(Ranking::new(bases.len()));
        Ok(Mirrors(Arc::new(Shared { bases, settings, exchange, fetching, posting })))
    }

    /// The base URLs, the preferred one first.
    pub fn bases(&self) -> &[BaseUrl] {
        &self.0.bases
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    /// Places in the list, the one to ask first in front.
    pub(crate) fn order(&self, purpose: Purpose) -> Vec<usize> {
        self.ranking(purpose).order(Instant::now())
    }

    pub(crate) fn worked(&self, purpose: Purpose, base: usize) {
        self.ranking(purpose).worked(base);
    }

    pub(crate) fn failed(&self, purpose: Purpose, base: usize) {
        let rest = jitter::around(REST, &mut Rng::new());
        self.ranking(purpose).failed(base, Instant::now(), rest);
    }

    /// Asks for an object, and takes nothing but a whole one: 206 is as wrong as 500.
    pub(crate) async fn open(&self, target: Target, max_bytes: u64) -> Result<Body, Fault> {
        let answer = self.exchange().ask(target, Request::default(), self.settings().answer_within).await?;
        if answer.status() != StatusCode::OK {
            return Err(Fault::from_answer(&answer));
        }
        Body::new(answer.into_body(), max_bytes, self.settings().throughput)
    }

    fn ranking(&self, purpose: Purpose) -> MutexGuard<'_, Ranking> {
        let ranking = match purpose {
            Purpose::Fetching => &self.0.fetching,
            Purpose::Posting => &self.0.posting,
        };
        // A ranking is a hint: whatever a panic left in it is good enough.
        ranking.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Mirrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mirrors").field(&self.0.bases).finish()
    }
}

/// For how long one that failed is asked last, give or take half of it.
const REST: Duration = Duration::from_secs(600);
