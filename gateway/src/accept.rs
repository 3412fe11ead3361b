//! The accept loop: lets connections in, turns away those beyond the caps, and survives running out of files.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{error, info, warn};

use crate::admission::{Admission, Place, counted_as};
use crate::connection::{self, Leaving, Opened, Protocol};
use crate::held;
use crate::http::{Poll, Service};
use crate::lot::{self, Back, Lot, Returned};
use crate::multiplex;
use crate::reload::Reloaded;
use crate::stall::Stall;
use crate::tls::Certificates;

/// Binds `address` with room for a whole fleet that reconnects at once.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A restart must not wait for the connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `listener`, and who comes `back` from the `lot`, until the service closes; then gives open requests [`GRACE`] to end, and
/// cuts the rest. New connections see the newest of `certificates`; without any, nothing is encrypted.
pub(crate) async fn run(
    listener: TcpListener,
    service: Arc<Service>,
    certificates: Option<Arc<Reloaded<Certificates>>>,
    lot: Lot,
    mut back: Back,
) {
    let lot = Arc::new(lot);
    let limits = &service.limits;
    let admission = Admission::new(limits.connections, limits.connections_per_address);
    let mut connections = JoinSet::new();
    let mut turned_away = JoinSet::new();
    let gate = Arc::new(Semaphore::new(RETURNING_MAX));
    let mut returning = VecDeque::new();
    loop {
        tokio::select! {
            () = service.closing.cancelled() => break,
            Some(ended) = connections.join_next() => {
                if let Err(panicked) = ended {
                    error!(%panicked, "Serving a connection failed: {panicked}");
                }
            }
            Some(_) = turned_away.join_next() => {}
            Some(returned) = back.recv() => returning.extend(returned),
            Ok(first) = Arc::clone(&gate).acquire_owned(), if !returning.is_empty() => {
                let more = std::iter::from_fn(|| Arc::clone(&gate).try_acquire_owned().ok());
                for turn in std::iter::once(first).chain(more) {
                    let Some(returned) = returning.pop_front() else { break };
                    connections.spawn(again(returned, Arc::clone(&service), Arc::clone(&lot), turn));
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // Answers are small and written at once; there is nothing to gather.
                    let _ = stream.set_nodelay(true);
                    let service = Arc::clone(&service);
                    let arrived = Arrived { stream, address: counted_as(peer.ip()), certificates: certificates.clone() };
                    match admission.admit(peer.ip()) {
                        Some(permit) => {
                            let place = Place { permit, _counted: service.metrics.connected() };
                            connections.spawn(arrived.serve(place, service, Arc::clone(&lot), admission.clone()));
                        }
                        None => {
                            service.metrics.turned_away();
                            // Beyond that, closing is all that can be afforded.
                            if turned_away.len() < TURNED_AWAY_MAX {
                                turned_away.spawn(async move { arrived.turn_away(&service).await });
                            }
                        }
                    }
                }
                Err(error) => pause_after(&error).await,
            },
        }
    }
    drop((listener, back, returning));
    lot.close();
    drain(connections).await;
}

async fn drain(mut connections: JoinSet<()>) {
    let open = connections.len();
    info!(open, "Closing: {open} connections have {} s to end", GRACE.as_secs());
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(GRACE, ended).await.is_err() {
        let cut = connections.len();
        warn!(cut, "Cut {cut} connections that did not end");
        connections.shutdown().await;
    }
}

/// A connection of which nothing is known yet but where it comes from.
struct Arrived {
    stream: TcpStream,
    address: IpAddr,
    certificates: Option<Arc<Reloaded<Certificates>>>,
}

impl Arrived {
    /// Serves it until it ends, or waits in the lot.
    async fn serve(self, place: Place, service: Arc<Service>, lot: Arc<Lot>, admission: Admission) {
        let Arrived { stream, address, certificates } = self;
        // Boxed where it gets large: those who have not said anything yet are many when all come at once.
        match certificates {
            None => {
                let mut opened = connection::plain(Bytes::new(), stream, address);
                match opened.protocol(&service).await {
                    Some(Protocol::Http1) => Box::pin(serve_plain(opened, place, service, &lot)).await,
                    Some(Protocol::Http2) => Box::pin(multiplex::serve(opened, service, admission)).await,
                    None => {}
                }
            }
            Some(certificates) => {
                let mut next = connection::secure(stream, address, certificates.now(), &service).await;
                drop(certificates);
                while let Some(opened) = next {
                    if opened.protocol() == Protocol::Http2 {
                        return Box::pin(multiplex::serve(opened, service, admission)).await;
                    }
                    // Those who wait do not keep the room that reading requests takes.
                    let Some(leaving) = Box::pin(connection::serve(opened, Arc::clone(&service))).await else { return };
                    next = held::wait(leaving, &service).await;
                }
                drop(place);
            }
        }
    }

    /// Says 503 in a way that the client understands.
    async fn turn_away(self, service: &Service) {
        let Arrived { stream, address, certificates } = self;
        match certificates {
            None => say_503(stream).await,
            Some(certificates) => {
                if let Some(opened) = connection::secure(stream, address, certificates.now(), service).await {
                    say_503(opened.stream).await;
                }
            }
        }
    }
}

/// Serves a connection that comes back from the lot. After a notification all come back at about the same time; what they ask is
/// here, so each has its `turn` until hyper has nothing to do for the first time, and only so many take memory at once.
async fn again(
    Returned { stream, place, ahead }: Returned,
    service: Arc<Service>,
    lot: Arc<Lot>,
    turn: OwnedSemaphorePermit,
) {
    // It fails when the process is out of memory for sockets, and then the client comes again.
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let opened = connection::plain(ahead, stream, place.permit.address());
    let mut serving = Box::pin(serve_plain(opened, place, service, &lot));
    let ended = futures_util::poll!(&mut serving).is_ready();
    drop(turn);
    if !ended {
        serving.await;
    }
}

/// Serves a plain connection until it ends, or waits in the lot.
async fn serve_plain(opened: Opened<Stall<TcpStream>>, place: Place, service: Arc<Service>, lot: &Lot) {
    let Some(Leaving { opened, poll }) = connection::serve(opened, service).await else { return };
    let (ahead, stream) = opened.stream.into_parts();
    let Poll { slot, posted, form, longest } = poll;
    if let Ok(stream) = stream.into_inner().into_std() {
        lot.park(lot::Arrived { stream, place, ahead, slot, posted, form, longest });
    }
}

/// Says 503, and lets the client read it: closing on unread bytes would take the answer back.
async fn say_503(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let politely = async {
        stream.write_all(TURNED_AWAY).await?;
        stream.shutdown().await?;
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // It was turned away either way.
    let _ = timeout(LINGER, politely).await;
}

/// A connection that broke before it was accepted is nothing. Running out of files or memory passes, if one lets it.
async fn pause_after(error: &io::Error) {
    if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
        return;
    }
    warn!(%error, "Cannot accept a connection: {error}");
    sleep(PAUSE.mul_f64(0.5 + fastrand::f64())).await;
}

const BACKLOG: u32 = 8192;
/// Of those who come back from the lot, so many are begun with at a time.
const RETURNING_MAX: usize = 256;
const GRACE: Duration = Duration::from_secs(5);
const LINGER: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);
const TURNED_AWAY_MAX: usize = 256;
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\
Content-Type: application/json\r\nContent-Length: 75\r\n\r\n\
{\"error\":\"too many connections\",\"hint\":\"come back later, or ask a mirror\"}\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_who_is_turned_away_says_its_own_length() {
        let text = str::from_utf8(TURNED_AWAY).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        serde_json::from_str::<serde_json::Value>(body).expect("JSON");
    }
}
