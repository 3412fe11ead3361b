//! One request, and the head of its answer.
//!
//! In: a [`Target`] and a request. Out: the answer, whatever its status, or a [`Fault`]; both in bounded time. Knows
//! nothing of mirrors, and follows no redirect, proxy or cookie, for the simple reason that nothing here speaks of them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, USER_AGENT};
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use tokio::time::timeout;

use crate::credentials::Credentials;
use crate::fault::Fault;
use crate::interim::{INTERIM_MAX, Interim};
use crate::line::{Line, LineError, Renewing, Roots};
use crate::target::{Privacy, Target};

pub(crate) struct Exchange {
    lines: Arc<Renewing>,
    connect_within: Duration,
}

impl Exchange {
    /// Prepares connections; none is made yet. Blocks.
    ///
    /// # Errors
    /// The credentials, or the certificates of [`Roots::System`], cannot be used.
    pub(crate) fn new(credentials: Credentials, roots: Roots, connect_within: Duration) -> Result<Exchange, LineError> {
        Ok(Exchange { lines: Arc::new(Renewing::new(credentials, roots)?), connect_within })
    }

    /// Asks, and waits for the head of the answer: at most for a connection, and then at most `answer_within`.
    pub(crate) async fn ask(
        &self,
        target: Target,
        mut request: Request<Full<Bytes>>,
        answer_within: Duration,
    ) -> Result<Response<Incoming>, Fault> {
        let line = self.lines.line(self.connect_within).await;
        if let Some(bearer) = line.bearer.as_ref().filter(|_| target.privacy == Privacy::Private) {
            request.headers_mut().insert(AUTHORIZATION, bearer.clone());
        }
        *request.uri_mut() = target.uri;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(DRIFTLESS));
        // What is signed are the bytes in the store, so nobody on the way has a reason to wrap them.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let interim = Interim::to(&mut request);
        tokio::select! {
            answer = self.answer(&line, request, answer_within) => answer,
            () = interim.too_many() => Err(Fault::Chatter { max: INTERIM_MAX }),
        }
    }

    async fn answer(
        &self,
        line: &Line,
        mut request: Request<Full<Bytes>>,
        answer_within: Duration,
    ) -> Result<Response<Incoming>, Fault> {
        let mut connection = capture_connection(&mut request);
        let mut answer = line.client.request(request);
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

const DRIFTLESS: &str = concat!("driftless/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::net::TcpListener;

    use super::*;
    use crate::base_url::BaseUrl;

    #[tokio::test]
    async fn a_server_that_accepts_and_speaks_no_tls_is_given_up() -> io::Result<()> {
        let mute = TcpListener::bind("127.0.0.1:0").await?;
        let base: BaseUrl = format!("https://{}/", mute.local_addr()?).parse().expect("a base URL");
        let within = Duration::from_millis(100);
        let exchange = Exchange::new(Credentials::default(), Roots::Nobody, within).expect("nothing is read");
        let asked = exchange.ask(base.join("").expect("a URL"), Request::default(), Duration::MAX).await;
        assert!(matches!(asked, Err(Fault::NoConnection { within: waited }) if waited == within), "{asked:?}");
        Ok(())
    }
}
