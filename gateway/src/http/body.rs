//! Reads the body of a request: so many bytes, so long, and no more.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::answer::{self, Answer};

/// Reads a whole body of at most `max_bytes`.
///
/// # Errors
/// The answer that says why not: 413, 408 or 400.
pub(super) async fn read(body: Incoming, max_bytes: u64) -> Result<Bytes, Answer> {
    let too_large = || {
        let error = format!("the body has more than {max_bytes} bytes");
        answer::problem(StatusCode::PAYLOAD_TOO_LARGE, &error, "send it in several parts")
    };
    if body.size_hint().lower() > max_bytes {
        return Err(too_large());
    }
    let limit = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    match timeout(WITHIN, Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(answer::problem(StatusCode::BAD_REQUEST, "the body ends before its end", "send it again")),
        Err(_) => {
            let error = format!("the body did not come within {} s", WITHIN.as_secs());
            Err(answer::problem(StatusCode::REQUEST_TIMEOUT, &error, "send it again, in smaller parts"))
        }
    }
}

/// A megabyte within this is what a very slow line can do.
const WITHIN: Duration = Duration::from_secs(15);
