//! One connection of HTTP/2, on which many requests are answered at a time.
//!
//! In: a connection that speaks it, by ALPN or by its first bytes. Out: nothing; what is asked is answered by the same service.
//! A poll is held inside, since its connection has other things to do. Each request beside another one takes a place as a
//! connection does, so the caps on those hold here, too; and it has that place until its answer is sent, however slowly.

mod quiet;

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll as Readiness;
use std::time::Duration;

use http::Request;
use http::header::CONNECTION;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::admission::Admission;
use crate::connection::Opened;
use crate::http::Service;
use quiet::{Quiet, Refused, Seated};

/// Serves a connection until either side is done with it. When the service closes, the requests under way are the last ones.
pub(crate) async fn serve<S>(Opened { stream, peer }: Opened<S>, service: Arc<Service>, admission: Admission)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let closing = service.closing.clone();
    let idle = service.limits.idle_deadline.0.max(service.limits.header_deadline.0);
    let quiet = Arc::new(Quiet::default());
    // The first request has to come as soon as on any new connection.
    let courtesy = service.limits.header_deadline.0;
    let first = Instant::now() + courtesy;
    let streams = Streams::default();
    let _ends_with_this = Owner(streams.clone());
    let answer = {
        let quiet = Arc::clone(&quiet);
        service_fn(move |request: Request<Incoming>| {
            let (service, peer) = (Arc::clone(&service), Arc::clone(&peer));
            let seat = Quiet::seat(&quiet, || admission.admit(peer.address));
            async move {
                let (answer, seat) = match seat {
                    Ok(mut seat) => {
                        let mut answer = service.answer(&peer, None, request).await?;
                        // There is no such header here, but what it says holds: who guesses begins anew each time.
                        if answer.headers_mut().remove(CONNECTION).is_some() {
                            seat.say_goodbye();
                        }
                        seat.answered();
                        (answer, Some(seat))
                    }
                    Err(Refused::Full) => (service.full(), None),
                    // Hyper goes on taking requests until the client has confirmed the goodbye, which it may never do.
                    Err(Refused::Over) => (service.hung_up(), None),
                };
                Ok::<_, Infallible>(answer.map(|body| Seated { body, seat }))
            }
        })
    };
    let mut connection = pin!(bounded(streams.clone()).serve_connection(TokioIo::new(stream), answer));
    let mut closed = pin!(closing.cancelled());
    let mut timer = pin!(sleep_until(first));
    let mut stopping = false;
    let ended = poll_fn(|context| {
        while timer.as_mut().poll(context).is_ready() {
            match quiet.until(idle) {
                Some(until) if until > Instant::now() => timer.as_mut().reset(until),
                Some(_) if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                    timer.as_mut().reset(Instant::now() + courtesy);
                }
                // Nothing was ever asked, or whoever was told goodbye is still there.
                _ => return Readiness::Ready(Ok(())),
            }
        }
        if !stopping && (closed.as_mut().poll(context).is_ready() || quiet.is_over()) {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        streams.reap();
        connection.as_mut().poll(context)
    });
    if let Err(error) = ended.await {
        debug!(%error, "A connection of HTTP/2 ended early: {error}");
    }
}

fn bounded(streams: Streams) -> http2::Builder<Streams> {
    let mut builder = http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX_BYTES)
        .max_pending_accept_reset_streams(RESETS_MAX)
        .max_local_error_reset_streams(RESETS_MAX)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN);
    builder
}

/// The tasks of one connection, one for each request.
#[derive(Clone, Debug, Default)]
struct Streams(Arc<Mutex<JoinSet<()>>>);

/// Whose tasks end with it. They know their [`Streams`], so that alone would keep them.
struct Owner(Streams);

impl Streams {
    /// Forgets those that ended.
    fn reap(&self) {
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, future: F) {
        self.tasks().spawn(future);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let tasks = std::mem::take(&mut *self.0.tasks());
        drop(tasks);
    }
}

/// Requests on one connection at a time: for a proxy that gathers many agents.
const STREAMS_MAX: u32 = 128;
/// Agents send a few hundred bytes.
const HEADERS_MAX_BYTES: u32 = 16 * 1024;
/// Streams that were opened and reset at once cost something until they are forgotten; who has more of them is hung up on.
const RESETS_MAX: usize = 32;
/// What may come of bodies before anybody reads them; acks are small.
const WINDOW_BYTES: u32 = 64 * 1024;
/// What waits to be written of one answer.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// There is no other sign of life while polls are held.
const PING_EVERY: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);
