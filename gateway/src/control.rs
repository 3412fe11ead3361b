//! What is hosted for a publisher beside this gateway: `/v1/control/…`.
//!
//! In: calls, as they came over HTTP. Out: what is replied. Who may do what is for whoever answers to know; here it is only
//! seen to that calls are bounded, and that nobody guesses tokens by the thousand.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use zeroize::Zeroizing;

/// Answers calls of `/v1/control/…`.
pub trait Control: Send + Sync {
    /// Answers one call. It may be dropped half-way, when the gateway closes or it takes more than a minute.
    fn call(&self, call: Call) -> Pin<Box<dyn Future<Output = Reply> + Send + '_>>;
}

/// One call.
#[derive(Clone)]
pub struct Call {
    /// `GET` or `POST`.
    pub method: Method,
    /// What comes after `/v1/control/`, as it was sent.
    pub path: String,
    /// What comes after the `?`, as it was sent.
    pub query: Option<String>,
    /// The bearer token, if one came along. Never shown, not even by `Debug`.
    pub token: Option<Zeroizing<String>>,
    /// The body, at most [`Call::BODY_MAX_BYTES`].
    pub body: Bytes,
}

/// What is said to a call.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status. To `401` the gateway adds that it wants a bearer token, and charges the caller's address with a wrong guess.
    pub status: StatusCode,
    /// The body.
    pub json: serde_json::Value,
}

/// Whoever answers calls.
pub(crate) struct Beside(pub(crate) Arc<dyn Control>);

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beside(..)")
    }
}

impl Call {
    /// The longest body that is read.
    pub const BODY_MAX_BYTES: u64 = 64 * 1024;
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { method, path, query, token, body } = self;
        let token = token.as_ref().map(|_| "[secret]");
        f.debug_struct("Call")
            .field("method", method)
            .field("path", path)
            .field("query", query)
            .field("token", &token)
            .field("body_bytes", &body.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_shown() {
        let call = Call {
            method: Method::GET,
            path: "rollouts".to_owned(),
            query: None,
            token: Some(Zeroizing::new("s3cret".to_owned())),
            body: Bytes::from_static(b"also private"),
        };
        let shown = format!("{call:?}");
        assert!(!shown.contains("s3cret") && !shown.contains("private"), "{shown}");
    }
}
