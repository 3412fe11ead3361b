//! `GET v1/apps/<app>/regions/<region>/pointer`: the newest pointer, or the promise that there is no newer one.

use std::time::Duration;

use http::header::{AGE, CACHE_CONTROL, CONNECTION, ETAG};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::answer::{self, Answer};
use super::etag::Held;
use super::object::SEALED;
use super::parked::{self, Ended};
use super::prefer::{self, PREFERENCE_APPLIED};
use super::service::Service;
use crate::board::{Posted, Slot};
use crate::clock;
use crate::pair::Pair;

impl Service {
    /// Answers at once, or, where the client has the newest pointer and prefers to wait, when there is a newer one.
    pub(super) async fn pointer(&self, pair: Pair, headers: &HeaderMap) -> Answer {
        let slot = match self.slot(pair).await {
            Ok(slot) => slot,
            Err(answer) => return answer,
        };
        let wait = prefer::wait(headers, self.limits.wait_max.0);
        let held = Held::of(headers).unwrap_or_default();
        let posted = slot.posted();
        if !held.covers(posted.etag()) {
            return whole(&slot, &posted, wait);
        }
        let Some(longest) = wait else { return not_modified(&slot, &posted, None) };
        match parked::hold(&slot, &held, longest, &self.metrics, &self.closing).await {
            Ended::Changed(newer) => whole(&slot, &newer, wait),
            Ended::WaitOver => not_modified(&slot, &posted, wait),
            Ended::Closing => {
                let mut answer = not_modified(&slot, &posted, wait);
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                answer
            }
        }
    }
}

fn whole(slot: &Slot, posted: &Posted, wait: Option<Duration>) -> Answer {
    // The bytes are shared by everyone who is answered with them.
    let answer = answer::bytes(StatusCode::OK, SEALED, posted.bytes().clone());
    described(answer, slot, posted, wait)
}

fn not_modified(slot: &Slot, posted: &Posted, wait: Option<Duration>) -> Answer {
    described(answer::empty(StatusCode::NOT_MODIFIED), slot, posted, wait)
}

fn described(mut answer: Answer, slot: &Slot, posted: &Posted, wait: Option<Duration>) -> Answer {
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

/// Past every poll and every long-poll of ours.
const OLD: Duration = Duration::from_secs(90);
