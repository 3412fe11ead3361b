//! One connection, from the first byte to the last.
//!
//! In: a socket, and the certificates in force. Out: nothing; what is asked is answered by the service. Bytes come through
//! three layers: writes that nobody takes (`stall.rs`), TLS where there is any, headers that do not come (`header.rs`). All
//! above TLS is the same with and without it.

use std::net::IpAddr;
use std::sync::Arc;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::entrance::Peer;
use crate::header::{HeaderDeadline, Turns};
use crate::http::Service;
use crate::stall::{PATIENCE, Stall};
use crate::tls;

/// A stream that may be read and written by bytes in the clear, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Opened<S> {
    pub(crate) stream: S,
    peer: Peer,
}

/// Takes a plain connection from `address` as it is.
pub(crate) fn plain(stream: TcpStream, address: IpAddr) -> Opened<Stall<TcpStream>> {
    Opened { stream: Stall::new(stream, PATIENCE), peer: Peer { address, certificate: None } }
}

/// Agrees on TLS with a connection from `address`, within the deadline for headers; nothing where that fails.
pub(crate) async fn secure(
    stream: TcpStream,
    address: IpAddr,
    certificates: Arc<ServerConfig>,
    service: &Service,
) -> Option<Opened<TlsStream<Stall<TcpStream>>>> {
    // Writes stall below TLS, where the bytes that the kernel does not take are.
    let handshake = TlsAcceptor::from(certificates).accept(Stall::new(stream, PATIENCE));
    // Boxed, so that a connection does not keep the room that its handshake took.
    let handshake = Box::pin(timeout(service.limits.header_deadline.0, handshake));
    let refuse = |why: &dyn std::fmt::Display| {
        service.metrics.refused("handshake");
        debug!(%address, "No TLS with {address}: {why}");
        None
    };
    match service.closing.run_until_cancelled(handshake).await? {
        Ok(Ok(stream)) => {
            let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(tls::name_of);
            Some(Opened { stream, peer: Peer { address, certificate } })
        }
        Ok(Err(error)) => refuse(&error),
        Err(late) => refuse(&late),
    }
}

/// Serves a connection until either side is done with it. When the service closes, the request under way is the last one.
pub(crate) async fn serve<S>(Opened { stream, peer }: Opened<S>, service: Arc<Service>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let closing = service.closing.clone();
    let (header_deadline, idle_deadline) = (service.limits.header_deadline.0, service.limits.idle_deadline.0);
    let turns = Turns::default();
    let stream = HeaderDeadline::new(stream, header_deadline, turns.clone());
    let peer = Arc::new(peer);
    let answer = service_fn(move |request: Request<Incoming>| {
        let (service, peer, answering) = (Arc::clone(&service), Arc::clone(&peer), turns.answer());
        async move {
            let answer = service.answer(&peer, request).await;
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
