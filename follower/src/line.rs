//! Connections, and the credentials that they are made with.
//!
//! In: credentials. Out: a [`Line`] to ask over. When a credential file changes, the next request goes over a new line, with
//! new connections; the old ones end with the requests that are on them. Knows no base URLs and nothing of what is asked.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::credentials::{Credentials, CredentialsError, Loaded, Stamp};

/// Connections that were all made with the same credentials.
pub(crate) struct Line {
    pub(crate) client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// The value of `Authorization`, for those who may see it.
    pub(crate) bearer: Option<HeaderValue>,
}

/// Whose certificates are believed where the credentials name no authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The operating system's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
    /// Nobody's; enough where no base URL is `https`, on hosts that have none.
    Nobody,
}

/// Says why there is no line.
#[derive(Debug)]
pub(crate) enum LineError {
    Roots(io::Error),
    Credentials(CredentialsError),
}

/// The line in use, and what it was made from.
pub(crate) struct Renewing {
    credentials: Credentials,
    roots: Roots,
    line: RwLock<Arc<Line>>,
    /// The files as they were when they were last read, whatever came of it.
    seen: Mutex<[Option<Stamp>; 4]>,
    /// Held by whoever looks at the files; nobody waits for it.
    looking: Arc<tokio::sync::Mutex<()>>,
}

impl Renewing {
    /// Reads the credentials; no connection is made yet. Blocks.
    pub(crate) fn new(credentials: Credentials, roots: Roots) -> Result<Renewing, LineError> {
        // Looked at before they are read: what changes in between is read again.
        let seen = Mutex::new(credentials.stamps());
        let line = RwLock::new(Arc::new(Line::new(&credentials, roots)?));
        Ok(Renewing { credentials, roots, line, seen, looking: Arc::default() })
    }

    /// The line to ask over now. Takes no longer than `within`, even if the disk hangs.
    pub(crate) async fn line(self: &Arc<Self>, within: Duration) -> Arc<Line> {
        if !self.credentials.is_empty()
            && let Ok(turn) = self.looking.clone().try_lock_owned()
        {
            let renewing = self.clone();
            let mut look = JoinSet::new();
            look.spawn_blocking(move || {
                renewing.renew();
                drop(turn);
            });
            // Too late, or a panic: the line that there is stays good.
            let _ = timeout(within, look.join_next()).await;
        }
        self.line.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes a new line if a file has changed. Blocks.
    fn renew(&self) {
        let stamps = self.credentials.stamps();
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if *seen == stamps {
                return;
            }
            *seen = stamps;
        }
        match Line::new(&self.credentials, self.roots) {
            Ok(line) => {
                *self.line.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(line);
                info!("Credentials have changed and are used from now on");
            }
            // Said once, since the files are not read again until they change again.
            Err(LineError::Credentials(error)) => {
                let error = &error as &dyn std::error::Error;
                warn!(error, "Credentials have changed and cannot be used, so those from before stay in use");
            }
            Err(LineError::Roots(error)) => {
                let error = &error as &dyn std::error::Error;
                warn!(error, "The system's authorities cannot be read, so credentials from before stay in use");
            }
        }
    }
}

impl Line {
    fn new(credentials: &Credentials, roots: Roots) -> Result<Line, LineError> {
        let loaded = credentials.load().map_err(LineError::Credentials)?;
        let bearer = loaded.bearer.clone();
        let tls = tls_config(loaded, roots).map_err(LineError::Roots)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // The connector is told no proxy, and asks no environment variable for one.
        let connector = HttpsConnector::from((tcp, tls));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(HEAD_MAX_BYTES)
            .build(connector);
        Ok(Line { client, bearer })
    }
}

/// ring by name: the process-wide default provider is nobody's to count on.
fn tls_config(loaded: Loaded, roots: Roots) -> io::Result<ClientConfig> {
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3");
    let trusting = match (loaded.authorities, roots) {
        (Some(authorities), _) => versions.with_root_certificates(authorities),
        (None, Roots::System) => versions.with_native_roots()?,
        (None, Roots::Nobody) => versions.with_root_certificates(RootCertStore::empty()),
    };
    Ok(match loaded.identity {
        Some(identity) => trusting.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity))),
        None => trusting.with_no_client_auth(),
    })
}

/// The most that is buffered of an answer's head, and of what is read ahead of its body.
const HEAD_MAX_BYTES: usize = 64 * 1024;

/// For how long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(90);

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use tracing::subscriber::with_default;
    use tracing_subscriber::fmt;

    use super::*;

    /// A log that can be read.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("nobody panicked").clone()).expect("a log is text")
        }
    }

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("nobody panicked").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_file_that_broke_is_named_once_and_never_shown() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let token = folder.path().join("token");
        fs::write(&token, "hunter1")?;
        let credentials = Credentials { token: Some(token.clone()), ..Credentials::default() };
        let renewing = Renewing::new(credentials, Roots::Nobody).expect("a good token");
        let log = Log::default();
        let writer = log.clone();
        let subscriber = fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
        let renew_twice = |text: &str| -> io::Result<()> {
            fs::write(&token, text)?;
            renewing.renew();
            renewing.renew();
            Ok(())
        };
        with_default(subscriber, || {
            renew_twice("hunter2 hunter2")?;
            assert_eq!(log.text().matches("WARN").count(), 1, "{}", log.text());
            assert!(log.text().contains("cannot be used: it must be one line"), "{}", log.text());
            renew_twice("hunter3")
        })?;
        let text = log.text();
        assert_eq!((text.matches("WARN").count(), text.matches("INFO").count()), (1, 1), "{text}");
        assert!(!text.contains("hunter"), "{text}");
        assert_eq!(
            renewing.line.read().expect("nobody panicked").bearer,
            Some(HeaderValue::from_static("Bearer hunter3"))
        );
        Ok(())
    }
}
