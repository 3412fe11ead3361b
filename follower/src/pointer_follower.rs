//! Follows one pointer: waits until somebody has another than the one we have.
//!
//! In: base URLs, a pointer's path, the caller's verdict on each pointer. Out: one [`Observation`] after the other. Whom to
//! ask, and when, is decided in `schedule.rs`; what is new, in `holding.rs`; here is the asking.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fastrand::Rng;
use http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use schema::enclosed::{self, Contents, InvalidContents, Split};
use schema::{App, Digest, Limits, Region, StorePath};
use tokio::time::sleep_until;
use tracing::debug;

use crate::body::Body;
use crate::failure::{Failures, Reason};
use crate::fault::Fault;
use crate::holding::Holding;
use crate::mirrors::Mirrors;
use crate::observation::{Observation, PointerRefused};
use crate::rhythm::Rhythm;
use crate::schedule::{Event, Schedule};
use crate::target::Target;

/// Waits for one pointer to move.
///
/// Against a server that holds requests (RFC 7240 `Prefer: wait`, seen by its `Preference-Applied`) this is a long-poll,
/// against any other it is polling; servers may differ and change. Call [`next`](Self::next) again and again, and answer
/// every [`Observation::Changed`] by [`accepted`](Self::accepted) or [`refused`](Self::refused).
pub struct PointerFollower {
    mirrors: Mirrors,
    path: StorePath,
    max_bytes: u64,
    rhythm: Rhythm,
    schedule: Schedule,
    holding: Holding,
    /// What the caller runs, for whoever can send what changes with the pointer.
    has: Option<Digest>,
    /// What was handed out and not yet judged.
    offer: Option<Offer>,
    /// Whether to ask past every cache, and past whoever answers 304 to anything.
    doubting: bool,
    /// Who failed since somebody last worked.
    failures: Failures<PointerRefused>,
    /// The end of a failed round, until the caller has heard of it.
    untold: Option<Observation>,
    rng: Rng,
}

struct Offer {
    base: usize,
    body: Digest,
    validator: Option<HeaderValue>,
}

/// An answer that can be used.
enum Answer {
    NotModified { waits: bool },
    Pointer { split: Split, validator: Option<HeaderValue>, waits: bool },
}

impl Mirrors {
    /// Begins to follow the pointer of `app` in `region`, whose bodies have at most `max_bytes`. Nothing is sent before
    /// [`PointerFollower::next`].
    pub fn pointer_follower(&self, app: App, region: Region, max_bytes: u64, rhythm: Rhythm) -> PointerFollower {
        let bases = self.bases().len();
        PointerFollower {
            mirrors: self.clone(),
            path: StorePath::Pointer { app, region },
            max_bytes,
            rhythm,
            schedule: Schedule::new(bases, rhythm, Instant::now()),
            holding: Holding::nothing(bases),
            has: None,
            offer: None,
            doubting: false,
            failures: Failures::none(),
            untold: None,
            rng: Rng::new(),
        }
    }
}

impl PointerFollower {
    /// Says from now on that the caller runs the bundle `have`, so that manifests and patches may come with the next pointer.
    /// Who serves files alone does not listen.
    pub fn has(&mut self, have: Option<Digest>) {
        self.has = have;
    }

    /// Waits until there is something to say: a pointer that differs from the one last accepted, the end of a wait, or the
    /// end of a round in which nobody gave anything.
    ///
    /// A pointer that was handed out and neither accepted nor refused counts as refused. The future may be dropped at any
    /// time: a pause goes on where it was, and a request that was under way is made anew by the next call.
    pub async fn next(&mut self) -> Observation {
        self.refused();
        loop {
            if let Some(told) = self.untold.take() {
                return told;
            }
            let step = self.schedule.step();
            sleep_until(step.at.into()).await;
            let asked = Instant::now();
            let answer = self.ask(step.base).await;
            match answer {
                Ok(answer) => return self.hear(step.base, answer, asked.elapsed()),
                Err(fault) => self.miss(step.base, fault.into()),
            }
        }
    }

    /// The pointer last handed out was verified and is now what we have.
    pub fn accepted(&mut self) {
        let Some(Offer { base, body, validator }) = self.offer.take() else { return };
        self.holding.replace(body, base, validator);
        self.found(base, Duration::ZERO, false, true);
    }

    /// The pointer last handed out did not verify, or is older than what we have: its base URL is put last, and the next
    /// is asked at once.
    pub fn refused(&mut self) {
        if let Some(offer) = self.offer.take() {
            self.miss(offer.base, Reason::Refused(PointerRefused));
        }
    }

    /// Says that the pointer we have is getting old, more than half of its validity, though base URLs answer.
    ///
    /// The next pointer is asked of the next base URL, unconditionally and with a query key that was never used before,
    /// so that neither a cache nor someone who answers 304 to everything can pass for the truth. It is asked no sooner
    /// than it would have been, so this may be said after every [`Observation::Unchanged`].
    pub fn doubt(&mut self) {
        self.refused();
        self.doubting = true;
        self.schedule.next_step(Event::Doubted, Instant::now(), &mut self.rng);
    }

    async fn ask(&self, base: usize) -> Result<Answer, Fault> {
        let settings = self.mirrors.settings();
        let (target, request, answer_within) = self.request(base);
        let conditional = request.headers().contains_key(IF_NONE_MATCH);
        let asked = request.headers().contains_key(enclosed::HAVE);
        let answer = self.mirrors.exchange().ask(target, request, answer_within).await?;
        let waits = applies_wait(answer.headers());
        match answer.status() {
            StatusCode::OK => {
                // Only those who hold requests make tags that change with every byte. Plain file servers make them from a time in
                // seconds and a size, and two pointers within a second would be one to them.
                let validator = answer.headers().get(ETAG).filter(|_| waits).cloned();
                let contents = if asked { contents(answer.headers(), self.max_bytes)? } else { None };
                let max_bytes = contents.as_ref().map_or(self.max_bytes, Contents::body_bytes);
                let body = Body::new(answer.into_body(), max_bytes, settings.throughput)?.whole().await?;
                let split = match contents {
                    Some(contents) => contents.split(body)?,
                    None => Split { pointer: body, parts: Vec::new() },
                };
                // The tag is the pointer's, whatever came with it.
                let validator = validator.filter(|tag| names(tag, &split.pointer));
                Ok(Answer::Pointer { split, validator, waits })
            }
            StatusCode::NOT_MODIFIED if conditional => Ok(Answer::NotModified { waits }),
            _ => Err(Fault::from_answer(&answer)),
        }
    }

    /// The request for the pointer, and how long its answer may take.
    fn request(&self, base: usize) -> (Target, Request<Full<Bytes>>, Duration) {
        let url = &self.mirrors.bases()[base];
        let mut answer_within = self.mirrors.settings().answer_within;
        let mut request = Request::default();
        if self.doubting {
            let fresh = format!("{}?fresh={:016x}", self.path, fastrand::u64(..));
            let target = url.join(&fresh).expect("a store path with a query of letters and digits is a URL");
            request.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            return (target, request, answer_within);
        }
        if let Some(have) = self.has {
            let have = HeaderValue::try_from(have.to_string()).expect("hex digits are visible ASCII");
            request.headers_mut().insert(enclosed::HAVE, have);
        }
        if let Some(seconds) = self.rhythm.wait_seconds() {
            let prefer = HeaderValue::try_from(format!("wait={seconds}")).expect("a number is visible ASCII");
            request.headers_mut().insert(PREFER, prefer);
        }
        if let Some(validator) = self.holding.validator(base) {
            request.headers_mut().insert(IF_NONE_MATCH, validator.clone());
            // Without a validator there is nothing that a server could wait for to change, so only this may take longer.
            answer_within = answer_within.max(self.rhythm.wait.saturating_add(GRACE));
        }
        (url.object(&self.path), request, answer_within)
    }

    fn hear(&mut self, base: usize, answer: Answer, took: Duration) -> Observation {
        let from = self.mirrors.bases()[base].clone();
        match answer {
            Answer::NotModified { waits } => {
                if !waits {
                    // It does not hold requests any more, so its tags are not to be relied on any more.
                    self.holding.served_by(base, None);
                }
                self.found(base, took, waits, false);
                Observation::Unchanged { from, held: waits }
            }
            Answer::Pointer { split: Split { pointer: bytes, parts: enclosed }, validator, waits } => {
                let body = Digest::of(&bytes);
                let doubted = std::mem::take(&mut self.doubting);
                if !self.holding.is(body) {
                    self.offer = Some(Offer { base, body, validator });
                    return Observation::Changed { bytes, enclosed, from };
                }
                let introduced = self.holding.validator(base).is_none() && !doubted;
                self.holding.served_by(base, validator);
                self.found(base, took, waits, introduced);
                Observation::Unchanged { from, held: waits && !introduced }
            }
        }
    }

    /// Takes note that `base` has what we have; `introduced`, if it was not asked for anything newer than that.
    fn found(&mut self, base: usize, took: Duration, waits: bool, introduced: bool) {
        self.failures = Failures::none();
        // Having just got its validator, the next thing is to wait with it: what moves in between must not wait for us.
        let event = match self.holding.validator(base) {
            Some(_) if introduced => Event::CaughtUp,
            _ => Event::Unchanged { waits, took },
        };
        self.schedule.next_step(event, Instant::now(), &mut self.rng);
    }

    /// Takes note that `base` gave nothing that can be used.
    fn miss(&mut self, base: usize, reason: Reason<PointerRefused>) {
        let url = &self.mirrors.bases()[base];
        let event = match &reason {
            Reason::Fault(Fault::Absent) => Event::Absent,
            Reason::Fault(Fault::Status { retry_after, .. }) => Event::Failed { retry_after: *retry_after },
            _ => Event::Failed { retry_after: None },
        };
        let failure = self.failures.add(url, reason);
        debug!(path = %self.path, base = %url, "No pointer: {failure}");
        if self.schedule.next_step(event, Instant::now(), &mut self.rng).round_failed {
            let failures = std::mem::replace(&mut self.failures, Failures::none());
            let absent = failures.iter().rev().find(|failure| failure.reason.is_absent());
            self.untold = Some(match absent.map(|failure| failure.base.clone()) {
                Some(from) => Observation::Absent { from, failures },
                None => Observation::Unreachable { failures },
            });
        }
    }
}

/// What the server says that its answer is made of; nothing where it is a pointer alone.
fn contents(headers: &HeaderMap, pointer_max_bytes: u64) -> Result<Option<Contents>, Fault> {
    let mut lines = headers.get_all(enclosed::ENCLOSED).iter();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(InvalidContents::Repeated.into());
    }
    let contents: Contents = line.to_str().map_err(|_| InvalidContents::Unreadable(0))?.parse()?;
    // The pointer is one of the parts.
    let max_bytes = Limits::DEFAULT.enclosed_max_bytes.max(pointer_max_bytes);
    if contents.pointer_bytes() > pointer_max_bytes || contents.body_bytes() > max_bytes {
        return Err(Fault::TooLarge { max_bytes });
    }
    Ok(Some(contents))
}

/// Whether the server says that it held, or would have held, the request (RFC 7240).
fn applies_wait(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFERENCE_APPLIED).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|preference| {
        let name = preference.split(['=', ';']).next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("wait")
    })
}

/// Whether a tag names these bytes as gateways do: by the first digits of their sha256.
///
/// Any other may be a trap, left by somebody on the way: with `*`, or with the tag of a pointer that we do not have, every
/// honest server would agree that there is nothing new.
fn names(tag: &HeaderValue, bytes: &[u8]) -> bool {
    let text = tag.to_str().unwrap_or_default();
    let opaque = text.strip_prefix("W/").unwrap_or(text);
    let digits = opaque.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    digits.len() >= TAG_DIGITS_MIN && Digest::of(bytes).to_string().starts_with(digits)
}

/// How many digits of a sha256 are enough not to be met by chance.
const TAG_DIGITS_MIN: usize = 32;

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How much later than asked a held request may be answered.
const GRACE: Duration = Duration::from_secs(15);
