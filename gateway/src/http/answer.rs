//! Answers, and the bodies they have.
//!
//! Whatever goes wrong is answered with `{"error": "…", "hint": "…"}`: what happened, and what to do about it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{Either, Full, StreamBody};
use hyper::body::Frame;
use serde::Serialize;

/// A body: bytes in memory that many answers may share, or a file as it is read.
pub(crate) type Body = Either<Full<Bytes>, StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>>;

/// An answer.
pub(crate) type Answer = Response<Body>;

/// An answer with `bytes` for a body.
pub(super) fn bytes(status: StatusCode, content_type: &'static str, bytes: Bytes) -> Answer {
    let length = bytes.len();
    let mut answer = Response::new(Either::Left(Full::new(bytes)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    answer
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Either::Left(Full::default()));
    *answer.status_mut() = status;
    answer
}

/// An answer that is as old as it is long: JSON, never to be cached.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let json = serde_json::to_vec(value).expect("what we answer with has string keys");
    let mut answer = bytes(status, "application/json", json.into());
    answer.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    answer
}

/// What went wrong, and what to do about it.
pub(super) fn problem(status: StatusCode, error: &str, hint: &str) -> Answer {
    #[derive(Serialize)]
    struct Problem<'a> {
        error: &'a str,
        hint: &'a str,
    }
    json(status, &Problem { error, hint })
}

/// Something that goes by itself, if one comes back.
pub(super) fn busy(status: StatusCode, error: &str, hint: &str, after: Duration) -> Answer {
    let mut answer = problem(status, error, hint);
    // Whole seconds, rounded up: nobody is to come back too early.
    let seconds = after.as_millis().div_ceil(1000).max(1);
    let seconds = HeaderValue::try_from(seconds.to_string()).expect("digits are a header value");
    answer.headers_mut().insert(RETRY_AFTER, seconds);
    answer
}

/// For answers that are about this moment.
pub(super) const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
