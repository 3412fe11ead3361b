//! Takes a request to whoever answers it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderValue, Method, Request, StatusCode, Version};
use hyper::body::{Body as _, Incoming};
use schema::ack::Boot;
use schema::status::PublisherStatus;
use schema::{AgentId, Timestamp};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::answer::{self, Answer};
use super::desk::Desk;
use super::route::Route;
use super::turned;
use crate::acks::{Answers, Quotas};
use crate::board::Slot;
use crate::clock;
use crate::config::Limits;
use crate::control::Beside;
use crate::entrance::{Caller, Door, Keys, Peer};
use crate::follow::{Asked, Demand};
use crate::health::Subject;
use crate::metrics::Metrics;
use crate::objects::Objects;
use crate::pair::Pair;
use crate::view::View;

/// Everything that answering needs, shared by all connections.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: AgentId,
    pub(crate) limits: Limits,
    pub(crate) started: Timestamp,
    pub(crate) begun: Instant,
    /// This run, so that gateways below see when there is another one.
    pub(crate) boot: Boot,
    pub(crate) view: Arc<View>,
    pub(crate) objects: Objects,
    pub(crate) answers: Arc<Answers>,
    /// Who may come in.
    pub(crate) door: Door,
    /// Whose key signs whose acks.
    pub(crate) keys: Keys,
    /// How often anybody may say something.
    pub(crate) quotas: Quotas,
    /// One permit for each body whose signatures are checked at the same time.
    pub(crate) verifying: Semaphore,
    /// Whom to ask for a pointer that is not on the board; nobody where the source is a store.
    pub(crate) demand: Option<Demand>,
    pub(crate) publisher: Option<watch::Receiver<PublisherStatus>>,
    /// What is hosted for a publisher beside this gateway.
    pub(crate) control: Option<Beside>,
    pub(crate) metrics: Metrics,
    /// Cancelled when this gateway goes away.
    pub(crate) closing: CancellationToken,
}

impl Service {
    /// Answers one request that came over the connection of `peer`, or leaves it at the `desk` of that connection.
    pub(crate) async fn answer(
        &self,
        peer: &Peer,
        desk: Option<&Desk>,
        request: Request<Incoming>,
    ) -> Result<Answer, Infallible> {
        // Outside hyper there is one answer to give and nothing else to know.
        let desk = desk.filter(|_| can_be_left(&request));
        let route = Route::of(request.uri().path());
        let (class, head) = (route.class(), request.method() == Method::HEAD);
        let is_unread = has_unread_body(&request);
        let admitted = match &route {
            Route::Control(_) => self.door.admit_bearer_of_other(peer).map(|()| Caller::Anyone(peer.address)),
            _ => self.door.admit(peer, request.headers(), clock::now()),
        };
        let mut answer = match admitted {
            Ok(caller) => self.dispatch(route, peer, &caller, desk, request).await,
            Err(_) if route.is_open() => self.dispatch(route, peer, &Caller::Anyone(peer.address), desk, request).await,
            Err(turned_away) => {
                self.metrics.refused("credentials");
                turned::away(&turned_away, self.door.admit)
            }
        };
        if is_unread {
            // Nobody reads this body. Hyper would pass over it, and answer what follows before the client has taken this answer: as
            // many answers as the client likes to ask for, and never reads.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let length = answer.headers().get(CONTENT_LENGTH).filter(|_| !head);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
        self.metrics.answered(class, answer.status(), length);
        Ok(answer)
    }

    /// To a request for which there is no place.
    pub(crate) fn full(&self) -> Answer {
        self.metrics.turned_away();
        let hint = "come back later, or ask a mirror";
        answer::busy(StatusCode::SERVICE_UNAVAILABLE, "too many connections", hint, Duration::from_secs(5))
    }

    /// To a request that comes after the last one of its connection.
    pub(crate) fn hung_up(&self) -> Answer {
        let hint = "ask on a new connection";
        answer::busy(StatusCode::SERVICE_UNAVAILABLE, "this connection is at its end", hint, Duration::from_secs(1))
    }

    async fn dispatch(
        &self,
        route: Route,
        peer: &Peer,
        caller: &Caller,
        desk: Option<&Desk>,
        request: Request<Incoming>,
    ) -> Answer {
        if let Err(allow) = route.admits(request.method()) {
            let error = format!("`{}` takes no such method", request.uri().path().escape_debug());
            let mut answer = answer::problem(StatusCode::METHOD_NOT_ALLOWED, &error, &format!("use {allow}"));
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
            return answer;
        }
        match route {
            Route::Pointer(pair) => self.pointer(pair, request.headers(), desk).await,
            Route::Object(path) => self.object(path, request.method(), request.headers()).await,
            Route::Acks => self.acks(caller, request.into_body()).await,
            Route::Relay => self.relay(caller, request.into_body()).await,
            Route::Summaries => self.summaries(caller, request.into_body()).await,
            Route::Control(path) => self.control(peer, path, request).await,
            Route::Status => self.status(request.uri().query()),
            Route::Alive => self.alive(),
            Route::Ready => self.ready(),
            Route::Metrics => {
                let text = self.metrics.encode(&self.view, &self.answers.here);
                answer::bytes(StatusCode::OK, METRICS, text.into())
            }
            Route::Nothing => {
                let hint = "see /v1/status, or ask for a store path like /v1/apps/<app>/regions/<region>/pointer";
                answer::problem(StatusCode::NOT_FOUND, "there is nothing at this path", hint)
            }
        }
    }

    /// The slot of `pair`, which is followed from now on if it was not before.
    ///
    /// # Errors
    /// The answer that says why there is none: 404 where the source says so, 503 where it is not known yet.
    pub(super) async fn slot(&self, pair: Pair) -> Result<Arc<Slot>, Answer> {
        if let Some(slot) = self.view.board.slot(&pair) {
            return Ok(slot);
        }
        let asked = match &self.demand {
            Some(demand) => demand.ask(pair.clone()).await,
            // It is there, but could not be read or did not verify.
            None if self.view.health.is_troubled(&Subject::Pointer(pair.clone())) => Asked::Unknown,
            None if self.view.health.is_surveyed() => Asked::Absent,
            None => Asked::Unknown,
        };
        if let Some(slot) = self.view.board.slot(&pair) {
            return Ok(slot);
        }
        let Pair { app, region } = pair;
        match asked {
            Asked::Absent => {
                let error = format!("nothing was ever published for app `{app}` in region `{region}`");
                Err(answer::problem(StatusCode::NOT_FOUND, &error, "check both names against /v1/status"))
            }
            // An error never means "empty".
            Asked::Unknown | Asked::Followed => {
                let error = format!("whether there is a pointer of app `{app}` in region `{region}` is not known yet");
                let after = Duration::from_secs(1);
                Err(answer::busy(StatusCode::SERVICE_UNAVAILABLE, &error, "ask again in a moment", after))
            }
        }
    }

    pub(super) fn uptime(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Whether a request of HTTP/1 brings a body that nobody reads.
fn has_unread_body(request: &Request<Incoming>) -> bool {
    let asks = matches!(*request.method(), Method::GET | Method::HEAD);
    asks && request.version() < Version::HTTP_2 && !request.body().is_end_stream()
}

/// Whether a request is one whose connection may be taken out of hyper: nothing of it is still to come, its answer is of
/// HTTP/1.1, and the connection stays.
fn can_be_left(request: &Request<Incoming>) -> bool {
    let mut connection = request.headers().get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let closes = connection.any(|line| line.split(',').any(|word| word.trim().eq_ignore_ascii_case("close")));
    request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && request.body().is_end_stream()
        && !request.headers().contains_key(UPGRADE)
        && !closes
}

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
