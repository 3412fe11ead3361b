//! What can go wrong with one base URL before its bytes are even looked at.

use std::time::Duration;

use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use hyper_util::client::legacy;
use schema::Digest;
use schema::enclosed::InvalidContents;

use crate::settings::Throughput;

/// Why one base URL did not give what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No connection: the name, the port or TLS.
    #[error("cannot connect")]
    Connect(#[source] legacy::Error),
    /// Neither a connection nor a refusal.
    #[error("no connection within {within:?}")]
    NoConnection {
        /// [`Settings::connect_within`](crate::Settings::connect_within).
        within: Duration,
    },
    /// The connection was lost, or what came over it was not HTTP.
    #[error("no answer that can be read")]
    Exchange(#[source] legacy::Error),
    /// Connected, and then no whole head of an answer.
    #[error("no answer within {within:?}")]
    NoAnswer {
        /// How long it was waited for.
        within: Duration,
    },
    /// Interim answers (1xx), and no end of them.
    #[error("sends more than {max} interim answers")]
    Chatter {
        /// The limit.
        max: usize,
    },
    /// Too late for the caller, who had others to ask.
    #[error("did not send all of it within {within:?}")]
    Late {
        /// How long the caller waited.
        within: Duration,
    },
    /// A redirect. None is ever followed: what is asked, and who is asked, is the configuration's to say.
    #[error("redirects to `{}`, which is not followed; if that is where the store is, make it the base URL", location.escape_debug())]
    Redirect {
        /// The location, lossily decoded and cut to 200 characters; empty where there is none.
        location: String,
    },
    /// No such object there (404 or 410). Never means that what we have is to be removed.
    #[error("has no such object")]
    Absent,
    /// Any other status than the one that was needed.
    #[error("answers {status}")]
    Status {
        /// The status.
        status: StatusCode,
        /// How long it asks to be left alone, where it said so in seconds.
        retry_after: Option<Duration>,
    },
    /// More bytes than the limit, announced or sent.
    #[error("sends more than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
    /// Slower than the floor.
    #[error("sends less than {} bytes per second over {:?}", .0.min_bytes_per_second, .0.window)]
    TooSlow(Throughput),
    /// The body ended before its end.
    #[error("breaks off after {received} bytes")]
    Broken {
        /// Bytes until then.
        received: u64,
        /// How it ended.
        #[source]
        source: hyper::Error,
    },
    /// A complete body, with fewer bytes than were signed.
    #[error("sends {received} bytes of {expected}")]
    TooShort {
        /// Bytes sent.
        received: u64,
        /// Bytes signed.
        expected: u64,
    },
    /// A pointer with more beside it, which do not add up.
    #[error("encloses what cannot be taken apart")]
    Enclosed(#[from] InvalidContents),
    /// As many bytes as were signed, but others.
    #[error("sends bytes of sha256 {received} for {expected}")]
    WrongDigest {
        /// Digest of what was sent.
        received: Digest,
        /// The digest that was signed.
        expected: Digest,
    },
}

impl Fault {
    /// Whether the base URL answered that it has no such object.
    pub fn is_absent(&self) -> bool {
        matches!(self, Fault::Absent)
    }

    pub(crate) fn from_client(error: legacy::Error) -> Fault {
        if error.is_connect() { Fault::Connect(error) } else { Fault::Exchange(error) }
    }

    /// Names what is wrong with an answer of another status than the one that was needed.
    pub(crate) fn from_answer<B>(answer: &Response<B>) -> Fault {
        match answer.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => Fault::Absent,
            status if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
                let location = answer.headers().get(LOCATION).map(|value| String::from_utf8_lossy(value.as_bytes()));
                Fault::Redirect { location: location.unwrap_or_default().chars().take(200).collect() }
            }
            status => Fault::Status { status, retry_after: retry_after(answer.headers()) },
        }
    }
}

/// The seconds of a `Retry-After`. A date is not read: it would take the server's clock, or ours, for right.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
