//! `GET v1/apps/<app>/regions/<region>/pointer`: the newest pointer, or the promise that there is no newer one.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, VARY};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Either;
use schema::enclosed;

use super::answer::{self, Answer};
use super::desk::{Desk, Poll};
use super::etag::Held;
use super::form::{self, Form};
use super::object::SEALED;
use super::parked::{self, Ended};
use super::prefer::{self, PREFERENCE_APPLIED};
use super::service::Service;
use crate::board::{Posted, Slot};
use crate::clock;
use crate::packs::Enclosure;
use crate::pair::Pair;

impl Service {
    /// Answers at once, or, where the client has the newest pointer and prefers to wait, when there is a newer one. Where there is
    /// a `desk`, waiting is done outside.
    pub(super) async fn pointer(&self, pair: Pair, headers: &HeaderMap, desk: Option<&Desk>) -> Answer {
        let slot = match self.slot(pair).await {
            Ok(slot) => slot,
            Err(answer) => return answer,
        };
        let wait = prefer::wait(headers, self.limits.wait_max.0);
        let (held, have) = (Held::of(headers).unwrap_or_default(), form::have(headers));
        let posted = slot.posted();
        let whole = async |posted: &Posted| {
            let enclosure = match have {
                Some(have) => posted.packed().await.and_then(|packs| packs.of(have)),
                None => None,
            };
            in_full(whole(&slot, posted, wait, enclosure))
        };
        if !held.covers(posted.etag()) {
            return whole(&posted).await;
        }
        let Some(longest) = wait.filter(|longest| !longest.is_zero()) else {
            return in_full(not_modified(&slot, &posted, wait));
        };
        // Who waits outside is compared by one tag. Nobody is sent there any more when this gateway goes away.
        if let Some(desk) = desk.filter(|_| held.is_one() && !self.closing.is_cancelled()) {
            let form = Form { wait_s: u32::try_from(longest.as_secs()).unwrap_or(u32::MAX), have };
            desk.leave(Poll { slot: Arc::clone(&slot), posted: Arc::clone(&posted), form, longest }).await;
        }
        match parked::hold(&slot, &held, longest, &self.metrics, &self.closing).await {
            Ended::Changed(newer) => whole(&newer).await,
            Ended::WaitOver => in_full(not_modified(&slot, &posted, wait)),
            Ended::Closing => {
                let mut answer = in_full(not_modified(&slot, &posted, wait));
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                answer
            }
        }
    }
}

/// The pointer, and what goes along with it.
pub(super) fn whole(
    slot: &Slot,
    posted: &Posted,
    wait: Option<Duration>,
    enclosure: Option<Enclosure>,
) -> Response<Bytes> {
    // The bytes are shared by everyone who is answered with them.
    let (body, contents) = match enclosure {
        Some(Enclosure { header, body }) => (body, Some(header)),
        None => (posted.bytes().clone(), None),
    };
    let length = body.len();
    let mut answer = described(body, slot, posted, wait);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(SEALED));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if let Some(contents) = contents {
        headers.insert(ENCLOSED, contents);
        headers.insert(VARY, HeaderValue::from_static(enclosed::HAVE));
        headers.insert(CACHE_CONTROL, answer::NO_STORE);
    }
    answer
}

/// That there is no other.
pub(super) fn not_modified(slot: &Slot, posted: &Posted, wait: Option<Duration>) -> Response<Bytes> {
    let mut answer = described(Bytes::new(), slot, posted, wait);
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer
}

fn in_full(answer: Response<Bytes>) -> Answer {
    answer.map(|bytes| Either::Left(bytes.into()))
}

fn described(body: Bytes, slot: &Slot, posted: &Posted, wait: Option<Duration>) -> Response<Bytes> {
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert(ETAG, posted.etag().header().clone());
    match wait {
        None => headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=1, no-transform")),
        Some(_) => headers.insert(CACHE_CONTROL, answer::NO_STORE),
    };
    if let Some(wait) = wait {
        let applied = HeaderValue::try_from(format!("wait={}", wait.as_secs())).expect("a number is a header value");
        headers.insert(PREFERENCE_APPLIED, applied);
    }
    // While the source does not answer, what it last said gets old, and says so.
    let age = clock::now().since(slot.confirmed());
    if age >= OLD {
        headers.insert(AGE, HeaderValue::from(age.as_secs()));
    }
    answer
}

const ENCLOSED: HeaderName = HeaderName::from_static(enclosed::ENCLOSED);

/// Past every poll and every long-poll of ours.
const OLD: Duration = Duration::from_secs(90);
