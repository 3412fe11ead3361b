//! One connection, from the first byte to the last.

use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tracing::debug;

use crate::header::{HeaderDeadline, Turns};
use crate::http::Service;
use crate::stall::{PATIENCE, Stall};

/// Serves `stream` until either side is done with it. When the service closes, the request under way is the last one.
pub(crate) async fn serve(stream: TcpStream, service: Arc<Service>) {
    let closing = service.closing.clone();
    let (header_deadline, idle_deadline) = (service.limits.header_deadline.0, service.limits.idle_deadline.0);
    let turns = Turns::default();
    let stream = HeaderDeadline::new(Stall::new(stream, PATIENCE), header_deadline, turns.clone());
    let answer = service_fn(move |request: Request<Incoming>| {
        let (service, answering) = (Arc::clone(&service), turns.answer());
        async move {
            let answer = service.answer(request).await;
            drop(answering);
            answer
        }
    });
    // Hyper counts an idle connection as one that is about to send a header; for the header alone the stream has another.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_deadline.max(header_deadline))
        .max_buf_size(BUFFER_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "A connection ended early: {error}");
    }
}

/// A request's header must fit into this. Agents send a few hundred bytes.
const BUFFER_MAX_BYTES: usize = 32 * 1024;
