//! One request to the control API, and its answer, without any HTTP.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

/// What somebody asks for.
#[derive(Clone)]
pub struct Call {
    /// `GET`, `POST` or anything else.
    pub method: Box<str>,
    /// What follows `/v1/control/`.
    pub path: Box<str>,
    /// What follows the `?`, still encoded, which names of apps never are; empty where there is none.
    pub query: Box<str>,
    /// The bearer token, if exactly one came along.
    pub token: Option<Zeroizing<String>>,
    /// The whole body.
    pub body: Bytes,
}

/// What is answered: an HTTP status and a JSON document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200, or one of 400, 401, 403, 404, 405, 409, 413, 500 and 503.
    pub status: u16,
    /// A value of `schema::control`, or `{"error": …, "hint": …}`.
    pub json: Value,
}

impl Reply {
    pub(super) fn ok(value: &impl Serialize) -> Reply {
        Reply::new(200, value)
    }

    /// Says what is wrong, and what to do about it.
    pub(super) fn problem(status: u16, error: &str, hint: &str) -> Reply {
        #[derive(Serialize)]
        struct Problem<'a> {
            error: &'a str,
            hint: &'a str,
        }
        Reply::new(status, &Problem { error, hint })
    }

    fn new(status: u16, value: &impl Serialize) -> Reply {
        let json = serde_json::to_value(value).expect("our answers have string keys");
        Reply { status, json }
    }
}

impl fmt::Debug for Call {
    /// Everything but the token, and of the body its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Call { method, path, query, token, body } = self;
        let token = if token.is_some() { "one" } else { "none" };
        let mut call = f.debug_struct("Call");
        call.field("method", method).field("path", path).field("query", query);
        call.field("token", &token).field("body", &body.len()).finish()
    }
}
