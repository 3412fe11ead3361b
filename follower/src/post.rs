//! Posts acks.
//!
//! In: a path, a JSON body that is safe to repeat. Out: the answer of the first base URL that takes it.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::InvalidUri;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::failure::Failures;
use crate::fault::Fault;
use crate::mirrors::{Mirrors, Purpose};

/// Says why a body was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Somebody who takes such bodies refused this one, and would refuse it again.
    #[error("{base} refused what was posted to `{path}` with {status}")]
    Refused {
        /// Where it was posted.
        path: String,
        /// Who refused it.
        base: BaseUrl,
        /// With which status.
        status: StatusCode,
    },
    /// No base URL takes it now. It may have arrived all the same, with only the answer lost.
    #[error("nobody took what was posted to `{path}`: {failures}")]
    Unavailable {
        /// Where it was posted.
        path: String,
        /// Why each base URL did not take it.
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

impl PostError {
    /// Whether the same body may be taken later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, PostError::Unavailable { .. })
    }
}

impl Mirrors {
    /// Posts a JSON body to `path` below the base URLs, in turn, until one answers 2xx; returns its answer, which has at
    /// most `max_answer_bytes`.
    ///
    /// The body may arrive more than once, so it must be safe to repeat. Base URLs that only serve files have their ways
    /// to say so (401, 403, 404, 405), and are passed over; the first that took it is asked first the next time.
    ///
    /// # Errors
    /// [`PostError`], when each base URL has been asked once, or at once when one that takes such bodies refuses this one.
    pub async fn post(&self, path: &str, body: Bytes, max_answer_bytes: u64) -> Result<Bytes, PostError> {
        let mut failures = Failures::none();
        for place in self.order(Purpose::Posting) {
            let base = &self.bases()[place];
            let uri = base.join(path).map_err(|source| PostError::Path { path: path.to_owned(), source })?;
            let fault = match self.post_to(uri, body.clone(), max_answer_bytes).await {
                Ok(answer) => {
                    self.worked(Purpose::Posting, place);
                    return Ok(answer);
                }
                Err(Fault::Status { status, .. }) if is_verdict(status) => {
                    return Err(PostError::Refused { path: path.to_owned(), base: base.clone(), status });
                }
                Err(fault) => fault,
            };
            self.failed(Purpose::Posting, place);
            failures.add(base, fault);
        }
        Err(PostError::Unavailable { path: path.to_owned(), failures })
    }

    async fn post_to(&self, uri: Uri, body: Bytes, max_answer_bytes: u64) -> Result<Bytes, Fault> {
        let settings = self.settings();
        // The clock of the answer runs while we send, so a long body on a slow line has the time that we would grant.
        let sending = body.len() as u64 / settings.throughput.min_bytes_per_second.max(1);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.exchange().ask(request, settings.answer_within + Duration::from_secs(sending)).await?;
        if !answer.status().is_success() {
            return Err(Fault::from_answer(&answer));
        }
        Body::new(answer.into_body(), max_answer_bytes, settings.throughput)?.whole().await
    }
}

/// Whether a status is about the body that was posted, and not about who was asked or when.
fn is_verdict(status: StatusCode) -> bool {
    status.is_client_error()
        && !matches!(
            status,
            StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::NOT_FOUND
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS
        )
}
