//! Where a request under way asks for its connection to be taken out of hyper.
//!
//! Answering happens inside hyper's connection, and whoever drives that connection sees nothing of it. So they share a desk: the
//! request leaves a [`Poll`] there and waits; the driver, when hyper has nothing to do for the moment, looks, and either takes
//! the connection apart, with which the request ends, or refuses, and the request goes on as any other.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll as Readiness, Waker};
use std::time::Duration;

use super::form::Form;
use crate::board::{Posted, Slot};

/// A question for a newer pointer, read and understood.
#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) slot: Arc<Slot>,
    /// What the client has.
    pub(crate) posted: Arc<Posted>,
    pub(crate) form: Form,
    /// For how long it may be held.
    pub(crate) longest: Duration,
}

/// The desk of one connection.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Empty,
    Asked(Poll, Waker),
    Refused,
}

impl Desk {
    /// Asks for the connection to be taken away with `poll`. Comes back only if that is refused.
    pub(super) async fn leave(&self, poll: Poll) {
        let mut poll = Some(poll);
        poll_fn(|context| self.poll_refused(&mut poll, context)).await;
    }

    fn poll_refused(&self, asking: &mut Option<Poll>, context: &mut Context<'_>) -> Readiness<()> {
        let mut state = self.state();
        if let Some(poll) = asking.take() {
            *state = State::Asked(poll, context.waker().clone());
            return Readiness::Pending;
        }
        match &mut *state {
            State::Asked(_, waker) => waker.clone_from(context.waker()),
            State::Refused => {
                *state = State::Empty;
                return Readiness::Ready(());
            }
            State::Empty => {}
        }
        Readiness::Pending
    }

    /// What was asked for, if anything was.
    pub(crate) fn take(&self) -> Option<Poll> {
        let mut state = self.state();
        match std::mem::take(&mut *state) {
            State::Asked(poll, _) => Some(poll),
            other => {
                *state = other;
                None
            }
        }
    }

    /// Refuses what was asked for, if anything was.
    pub(crate) fn refuse(&self) {
        let mut state = self.state();
        match std::mem::take(&mut *state) {
            State::Asked(_, waker) => {
                *state = State::Refused;
                waker.wake();
            }
            other => *state = other,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::board::Board;
    use crate::board::tests::{Signer, pair};

    fn poll() -> Poll {
        let (signer, board) = (Signer::new(), Board::default());
        signer.offer(&board, &signer.pointer(1, b"one")).expect("a first");
        let slot = board.slot(&pair()).expect("a slot");
        let posted = slot.posted();
        Poll { slot, posted, form: Form { wait_s: 55, have: None }, longest: Duration::from_secs(55) }
    }

    #[tokio::test]
    async fn who_is_refused_goes_on_and_may_ask_again() {
        let desk = Desk::default();
        for _ in 0..2 {
            desk.refuse();
            let mut leaving = std::pin::pin!(desk.leave(poll()));
            assert!((&mut leaving).now_or_never().is_none(), "nobody refused anything since it asked");
            let refusing = async { desk.refuse() };
            // Only a wake takes it further.
            tokio::join!(leaving, refusing);
            assert!(desk.take().is_none(), "what was refused is not taken");
        }
    }

    #[tokio::test]
    async fn who_is_taken_does_not_go_on() {
        let desk = Desk::default();
        assert!(desk.take().is_none());
        let mut leaving = std::pin::pin!(desk.leave(poll()));
        assert!((&mut leaving).now_or_never().is_none());
        assert!(desk.take().is_some_and(|poll| poll.form.wait_s == 55));
        desk.refuse();
        assert!((&mut leaving).now_or_never().is_none() && desk.take().is_none());
    }
}
