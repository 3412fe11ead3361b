//! One request, and the head of its answer.
//!
//! In: a request with its whole URL. Out: the answer, whatever its status, or a [`Fault`]; both in bounded time. Knows
//! nothing of mirrors, and follows no redirect, proxy or cookie, for the simple reason that nothing here speaks of them.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use crate::fault::Fault;

pub(crate) struct Exchange {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    connect_within: Duration,
}

/// Whose certificates are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Roots {
    /// The operating system's, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.
    System,
    /// Nobody's; enough where no base URL is `https`, on hosts that have none.
    Nobody,
}

impl Exchange {
    /// Prepares connections; none is made yet.
    ///
    /// # Errors
    /// The certificates of [`Roots::System`] cannot be read, or there are none.
    pub(crate) fn new(roots: Roots, connect_within: Duration) -> io::Result<Exchange> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(roots)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(HEAD_MAX_BYTES)
            .build(connector);
        Ok(Exchange { client, connect_within })
    }

    /// Asks, and waits for the head of the answer: at most for a connection, and then at most `answer_within`.
    pub(crate) async fn ask(
        &self,
        mut request: Request<Full<Bytes>>,
        answer_within: Duration,
    ) -> Result<Response<Incoming>, Fault> {
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(DRIFTLESS));
        // What is signed are the bytes in the store, so nobody on the way has a reason to wrap them.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut connection = capture_connection(&mut request);
        let mut answer = self.client.request(request);
        // The connector's own timeout ends with TCP; a server that accepts and then does not speak TLS is as dead.
        let connected = timeout(self.connect_within, async { drop(connection.wait_for_connection_metadata().await) });
        tokio::select! {
            early = &mut answer => return early.map_err(Fault::from_client),
            connected = connected => connected.map_err(|_| Fault::NoConnection { within: self.connect_within })?,
        }
        match timeout(answer_within, answer).await {
            Ok(answer) => answer.map_err(Fault::from_client),
            Err(_) => Err(Fault::NoAnswer { within: answer_within }),
        }
    }
}

/// ring by name: the process-wide default provider is nobody's to count on.
fn tls_config(roots: Roots) -> io::Result<ClientConfig> {
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has cipher suites for TLS 1.2 and 1.3");
    let trusting = match roots {
        Roots::System => versions.with_native_roots()?,
        Roots::Nobody => versions.with_root_certificates(RootCertStore::empty()),
    };
    Ok(trusting.with_no_client_auth())
}

const DRIFTLESS: &str = concat!("driftless/", env!("CARGO_PKG_VERSION"));

/// The most that is buffered of an answer's head, and of what is read ahead of its body.
const HEAD_MAX_BYTES: usize = 64 * 1024;

/// For how long a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(90);

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_accepts_and_speaks_no_tls_is_given_up() -> io::Result<()> {
        let mute = TcpListener::bind("127.0.0.1:0").await?;
        let mut request = Request::new(Full::default());
        *request.uri_mut() = format!("https://{}/", mute.local_addr()?).parse().expect("a URL");
        let within = Duration::from_millis(100);
        let asked = Exchange::new(Roots::Nobody, within)?.ask(request, Duration::MAX).await;
        assert!(matches!(asked, Err(Fault::NoConnection { within: waited }) if waited == within), "{asked:?}");
        Ok(())
    }
}
