//! Who has a place on a connection of HTTP/2, and since when nothing happens there.
//!
//! In: requests as they come, are answered, and have their answers sent. Out: a [`Seat`] for each, or why there is none; and until
//! when a connection that stays as it is may stay. Knows nothing of what is asked.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

use crate::admission::Permit;

/// What happens on one connection.
#[derive(Debug, Default)]
pub(super) struct Quiet(Mutex<Requests>);

#[derive(Debug, Default)]
struct Requests {
    /// Those that are not answered yet. They may be held, so nothing is expected of them.
    unanswered: usize,
    /// Whether one of them, or its answer, has the place of the connection.
    seat_taken: bool,
    /// When last a request was answered, a piece of an answer taken, or an answer done with.
    stirred: Option<Instant>,
    /// Whether an answer said that it was the last one.
    goodbye: bool,
}

/// The place of one request, from when it came until its answer is sent or given up.
#[derive(Debug)]
pub(super) struct Seat {
    quiet: Arc<Quiet>,
    kind: Kind,
    is_answered: bool,
}

#[derive(Debug)]
enum Kind {
    /// That of the connection.
    Own,
    /// One more, as a connection would have.
    Beside { _permit: Permit },
}

/// Why a request has no seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There is no place.
    Full,
    /// It came after an answer that was the last one.
    Over,
}

impl Quiet {
    /// Seats a request: one at a time has the place of its connection, any other takes what `beside` gives.
    pub(super) fn seat(quiet: &Arc<Quiet>, beside: impl FnOnce() -> Option<Permit>) -> Result<Seat, Refused> {
        let mut requests = quiet.requests();
        if requests.goodbye {
            return Err(Refused::Over);
        }
        let kind = if requests.seat_taken {
            Kind::Beside { _permit: beside().ok_or(Refused::Full)? }
        } else {
            requests.seat_taken = true;
            Kind::Own
        };
        requests.unanswered += 1;
        Ok(Seat { quiet: Arc::clone(quiet), kind, is_answered: false })
    }

    /// When a connection that stays as it is has been quiet for as long as `idle`; nothing if nothing was ever asked.
    pub(super) fn until(&self, idle: Duration) -> Option<Instant> {
        let Requests { unanswered, stirred, .. } = *self.requests();
        let since = if unanswered > 0 { Some(Instant::now()) } else { stirred };
        since.map(|since| since + idle)
    }

    /// Whether no further request is answered.
    pub(super) fn is_over(&self) -> bool {
        self.requests().goodbye
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Notes that there is an answer, which is still to be sent.
    pub(super) fn answered(&mut self) {
        if !std::mem::replace(&mut self.is_answered, true) {
            let mut requests = self.quiet.requests();
            requests.unanswered -= 1;
            requests.stirred = Some(Instant::now());
        }
    }

    /// No request that comes from now on is answered.
    pub(super) fn say_goodbye(&self) {
        self.quiet.requests().goodbye = true;
    }

    fn stir(&self) {
        self.quiet.requests().stirred = Some(Instant::now());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.answered();
        let mut requests = self.quiet.requests();
        requests.seat_taken &= !matches!(self.kind, Kind::Own);
        requests.stirred = Some(Instant::now());
    }
}

/// A body that has the seat of its request until it is sent or given up.
#[derive(Debug)]
pub(super) struct Seated<B> {
    pub(super) body: B,
    /// Nothing where the request was refused one.
    pub(super) seat: Option<Seat>,
}

impl<B: Body + Unpin> Body for Seated<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        // It is asked for as the client takes what came before.
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if let Some(seat) = &self.seat {
            seat.stir();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use http_body_util::{BodyExt as _, Full};

    use super::*;
    use crate::admission::Admission;

    const IDLE: Duration = Duration::from_secs(100);

    fn seat(quiet: &Arc<Quiet>, admission: &Admission) -> Result<Seat, Refused> {
        Quiet::seat(quiet, || admission.admit(IpAddr::V4(Ipv4Addr::LOCALHOST)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_quiet_when_nothing_is_asked_and_nothing_is_taken() {
        let (quiet, admission) = (Arc::new(Quiet::default()), Admission::new(9, 9));
        assert_eq!(quiet.until(IDLE), None, "nothing was asked");
        let (one, mut two) = (seat(&quiet, &admission).expect("its own"), seat(&quiet, &admission).expect("a place"));
        drop(one);
        tokio::time::advance(IDLE * 2).await;
        assert_eq!(quiet.until(IDLE), Some(Instant::now() + IDLE), "something may be held");
        two.answered();
        let mut stirred = Instant::now();
        tokio::time::advance(IDLE / 2).await;
        assert_eq!(quiet.until(IDLE), Some(stirred + IDLE), "nothing is taken");
        let mut body = Seated { body: Full::new(&b"bytes"[..]), seat: Some(two) };
        assert!(body.frame().await.is_some());
        stirred = Instant::now();
        tokio::time::advance(IDLE / 2).await;
        assert_eq!(quiet.until(IDLE), Some(stirred + IDLE));
        drop(body);
        assert_eq!(quiet.until(IDLE), Some(Instant::now() + IDLE));
    }

    #[tokio::test]
    async fn a_place_is_taken_until_the_body_is_gone() {
        let (quiet, admission) = (Arc::new(Quiet::default()), Admission::new(1, 1));
        let mut seats: Vec<_> = (0..2).map(|_| seat(&quiet, &admission).expect("a place")).collect();
        seats.iter_mut().for_each(Seat::answered);
        let mut bodies: Vec<_> =
            seats.into_iter().map(|seat| Seated { body: Full::new(&b""[..]), seat: Some(seat) }).collect();
        assert_eq!(seat(&quiet, &admission).expect_err("no place"), Refused::Full);
        // That of the connection, and then the other one.
        for _ in 0..2 {
            drop(bodies.remove(0));
            bodies.push(Seated { body: Full::default(), seat: Some(seat(&quiet, &admission).expect("room again")) });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a46_after_a_goodbye_nothing_is_answered_and_nothing_keeps_the_connection() {
        let (quiet, admission) = (Arc::new(Quiet::default()), Admission::new(9, 9));
        let last = seat(&quiet, &admission).expect("its own");
        assert!(!quiet.is_over());
        last.say_goodbye();
        drop(last);
        let quiet_at = quiet.until(IDLE);
        tokio::time::advance(IDLE / 2).await;
        assert_eq!(seat(&quiet, &admission).expect_err("the last one was answered"), Refused::Over);
        assert!(quiet.is_over());
        assert_eq!(quiet.until(IDLE), quiet_at, "whoever asks on is not waited for");
    }
}
