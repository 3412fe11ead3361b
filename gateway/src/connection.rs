//! One connection, from the first byte until it ends or has to wait.
//!
//! In: a socket, and the certificates in force. Out: nothing, or a [`Leaving`] connection with the poll that it waits for; what
//! else is asked is answered by the service. Bytes come through layers: writes that nobody takes (`stall.rs`), TLS where there is
//! any, what was read too early (`rewound.rs`), headers that do not come (`header.rs`). All above TLS is the same with and without
//! it. A connection of HTTP/2 is told apart here, and served by `multiplex.rs`.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll as Readiness;

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use crate::entrance::Peer;
use crate::header::{HeaderDeadline, Turns};
use crate::http::{Desk, Poll, Service};
use crate::rewound::Rewound;
use crate::stall::{PATIENCE, Stall};
use crate::tls;

/// A stream that may be read and written by bytes in the clear, and who is at its other end.
#[derive(Debug)]
pub(crate) struct Opened<S> {
    pub(crate) stream: Rewound<S>,
    pub(crate) peer: Arc<Peer>,
}

impl<S> Opened<S> {
    /// The same, with bytes that were read from it in front of what else was read too early.
    pub(crate) fn rewound(mut self, first: Bytes) -> Opened<S> {
        self.stream.rewind(first);
        self
    }
}

/// A connection that left hyper, and what it waits for.
#[derive(Debug)]
pub(crate) struct Leaving<S> {
    pub(crate) opened: Opened<S>,
    pub(crate) poll: Poll,
}

/// Takes a plain connection from `address` as it is, with what was read of it `ahead`.
pub(crate) fn plain(ahead: Bytes, stream: TcpStream, address: IpAddr) -> Opened<Stall<TcpStream>> {
    let stream = Rewound::new(ahead, Stall::new(stream, PATIENCE));
    Opened { stream, peer: Arc::new(Peer { address, certificate: None }) }
}

/// Agrees on TLS with a connection from `address`, within the deadline for headers; nothing where that fails.
pub(crate) async fn secure(
    stream: TcpStream,
    address: IpAddr,
    certificates: Arc<ServerConfig>,
    service: &Service,
) -> Option<Opened<Box<TlsStream<Stall<TcpStream>>>>> {
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
            Some(Opened {
                stream: Rewound::new(Bytes::new(), Box::new(stream)),
                peer: Arc::new(Peer { address, certificate }),
            })
        }
        Ok(Err(error)) => refuse(&error),
        Err(late) => refuse(&late),
    }
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Opened<Stall<TcpStream>> {
    /// What a client speaks that has just come: nobody begins a request of HTTP/1.1 as HTTP/2 begins. Nothing if it does not say
    /// within the deadline for headers.
    pub(crate) async fn protocol(&mut self, service: &Service) -> Option<Protocol> {
        let mut beginning = [0; PREFACE.len()];
        let mut read = 0;
        let reading = async {
            while read < PREFACE.len() && beginning[..read] == PREFACE[..read] {
                match self.stream.read(&mut beginning[read..]).await? {
                    // Hyper sees the end as well.
                    0 => break,
                    more => read += more,
                }
            }
            std::io::Result::Ok(())
        };
        let reading = timeout(service.limits.header_deadline.0, reading);
        service.closing.run_until_cancelled(reading).await?.ok()?.ok()?;
        let beginning = &beginning[..read];
        self.stream.rewind(Bytes::copy_from_slice(beginning));
        Some(if beginning == PREFACE { Protocol::Http2 } else { Protocol::Http1 })
    }
}

impl Opened<Box<TlsStream<Stall<TcpStream>>>> {
    /// What was agreed on in the handshake.
    pub(crate) fn protocol(&self) -> Protocol {
        match self.stream.inner().get_ref().1.alpn_protocol() {
            Some(tls::HTTP2) => Protocol::Http2,
            _ => Protocol::Http1,
        }
    }
}

/// Serves a connection until either side is done with it, or until it is best held outside hyper. When the service closes, the
/// request under way is the last one.
pub(crate) async fn serve<S>(Opened { stream, peer }: Opened<S>, service: Arc<Service>) -> Option<Leaving<S>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let closing = service.closing.clone();
    let (header_deadline, idle_deadline) = (service.limits.header_deadline.0, service.limits.idle_deadline.0);
    let turns = Turns::default();
    let desk = Arc::new(Desk::default());
    let stream = HeaderDeadline::new(stream, header_deadline, turns.clone());
    let answer = {
        let (peer, desk, turns) = (Arc::clone(&peer), Arc::clone(&desk), turns.clone());
        service_fn(move |request: Request<Incoming>| {
            let (service, peer, desk) = (Arc::clone(&service), Arc::clone(&peer), Arc::clone(&desk));
            let answering = turns.answer();
            async move {
                let answer = service.answer(&peer, Some(&desk), request).await;
                drop(answering);
                answer
            }
        })
    };
    // Hyper counts an idle connection as one that is about to send a header; for the header alone the stream has another.
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle_deadline.max(header_deadline))
        .max_buf_size(BUFFER_MAX_BYTES)
        .serve_connection(TokioIo::new(stream), answer);
    let mut closed = std::pin::pin!(closing.cancelled());
    let mut stopping = false;
    let ended = poll_fn(|context| {
        if !stopping && closed.as_mut().poll(context).is_ready() {
            stopping = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        if let Readiness::Ready(ended) = Pin::new(&mut connection).poll(context) {
            return Readiness::Ready(Err(ended));
        }
        // Hyper has done what it could, and lets us have a look. If it still had bytes of an answer before this one, taking it apart
        // would lose them. It reads on only when it has none, but does not promise that.
        if !turns.all_written() {
            desk.refuse();
        }
        desk.take().map_or(Readiness::Pending, |poll| Readiness::Ready(Ok(poll)))
    });
    match ended.await {
        Ok(poll) => {
            // Sound although hyper says that this is for connections that are done: the request was read to its end, nothing of
            // its answer was written, and all answers before it were. What hyper knows beside that is what it read too early.
            let parts = connection.into_parts();
            let mut stream = parts.io.into_inner().into_inner();
            // A copy, since hyper's buffer is much larger than what is in it.
            stream.rewind(Bytes::copy_from_slice(&parts.read_buf));
            Some(Leaving { opened: Opened { stream, peer }, poll })
        }
        Err(Ok(())) => None,
        Err(Err(error)) => {
            debug!(%error, "A connection ended early: {error}");
            None
        }
    }
}

/// How HTTP/2 begins (RFC 9113, section 3.4), as far as one has to read to know.
const PREFACE: &[u8] = b"PRI ";
/// A request's header must fit into this. Agents send a few hundred bytes.
const BUFFER_MAX_BYTES: usize = 32 * 1024;
