//! Posts acks.
//!
//! In: a path, a JSON body that is safe to repeat. Out: the answer of the first base URL that takes it.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::uri::InvalidUri;
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::Full;
use tracing::debug;

use crate::base_url::BaseUrl;
use crate::body::Body;
use crate::failure::{Failures, Reason};
use crate::fault::Fault;
use crate::mirrors::{Mirrors, Purpose};
use crate::target::Target;

/// Says why a body was not taken. Never a reason to forget it for good, since nobody who answers has to be trusted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// Of those who take such bodies, each refused this one, and nobody was out of reach who might have taken it.
    #[error("what was posted to `{path}` was refused: {failures}")]
    Refused {
        /// Where it was posted.
        path: String,
        /// Who refused it, first.
        base: BaseUrl,
        /// With which status.
        status: StatusCode,
        /// What each base URL said.
        failures: Failures,
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
    /// Whether the same body may be taken soon. One that was [`Refused`](PostError::Refused) may still be taken once whoever
    /// refused it is mended or replaced: offer it again, but seldom, and let other bodies pass.
    pub fn is_retryable(&self) -> bool {
        matches!(self, PostError::Unavailable { .. })
    }
}

impl Mirrors {
    /// Posts a JSON body to `path` below the base URLs, in turn, until one answers 2xx; returns its answer, which has at
    /// most `max_answer_bytes`.
    ///
    /// The body may arrive more than once, so it must be safe to repeat. Base URLs that only serve files have their ways
    /// to say so (401, 403, 404, 405, 501), and are passed over; the first that took it is asked first the next time. Who
    /// refuses the body is passed over too: a single broken or hostile one must not keep it from the others.
    ///
    /// # Errors
    /// [`PostError`], when each base URL has been asked once.
    pub async fn post(&self, path: &str, body: Bytes, max_answer_bytes: u64) -> Result<Bytes, PostError> {
        let mut failures = Failures::none();
        for place in self.order(Purpose::Posting) {
            let base = &self.bases()[place];
            let target = base.join(path).map_err(|source| PostError::Path { path: path.to_owned(), source })?;
            match self.post_to(target, body.clone(), max_answer_bytes).await {
                Ok(answer) => {
                    self.worked(Purpose::Posting, place);
                    if !failures.is_empty() {
                        debug!(path, %base, "Posted to {base} after others did not take it: {failures}");
                    }
                    return Ok(answer);
                }
                Err(fault) => _ = failures.add(base, fault),
            }
            self.failed(Purpose::Posting, place);
        }
        Err(PostError::from_failures(path.to_owned(), failures))
    }

    async fn post_to(&self, target: Target, body: Bytes, max_answer_bytes: u64) -> Result<Bytes, Fault> {
        let settings = self.settings();
        // The clock of the answer runs while we send, so a long body on a slow line has the time that we would grant.
        let sending = body.len() as u64 / settings.throughput.min_bytes_per_second.max(1);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer =
            self.exchange().ask(target, request, settings.answer_within + Duration::from_secs(sending)).await?;
        if !answer.status().is_success() {
            return Err(Fault::from_answer(&answer));
        }
        Body::new(answer.into_body(), max_answer_bytes, settings.throughput)?.whole().await
    }
}

impl PostError {
    fn from_failures(path: String, failures: Failures) -> PostError {
        let mut verdict = None;
        for failure in &failures {
            match Stance::of(&failure.reason) {
                Stance::Refuses(status) => verdict = verdict.or(Some((failure.base.clone(), status))),
                Stance::TakesNone => {}
                Stance::MayTake => return PostError::Unavailable { path, failures },
            }
        }
        match verdict {
            Some((base, status)) => PostError::Refused { path, base, status, failures },
            None => PostError::Unavailable { path, failures },
        }
    }
}

/// What a base URL that did not take a body thinks of such bodies.
enum Stance {
    /// It takes some, but not this one.
    Refuses(StatusCode),
    /// It takes none, or none from us.
    TakesNone,
    /// It may take this one another time.
    MayTake,
}

impl Stance {
    fn of(reason: &Reason) -> Stance {
        match reason {
            Reason::Fault(Fault::Absent) => Stance::TakesNone,
            Reason::Fault(Fault::Status { status, .. }) => match *status {
                StatusCode::UNAUTHORIZED
                | StatusCode::FORBIDDEN
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::NOT_IMPLEMENTED => Stance::TakesNone,
                StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Stance::MayTake,
                status if status.is_client_error() => Stance::Refuses(status),
                _ => Stance::MayTake,
            },
            Reason::Fault(_) => Stance::MayTake,
            Reason::Refused(nobody) => match *nobody {},
        }
    }
}
