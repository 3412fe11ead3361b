//! Holds a connection that left hyper and is encrypted: a task for each, since each has a session of its own.
//!
//! In: a connection, and the poll that it waits for. Out: the connection, answered, with the first byte of what is asked next; or
//! nothing, when it is over. Meanwhile there is the session, and this small future. The answer is the one that all get.

use std::sync::{Arc, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep, timeout};

use crate::board::{Posted, Slot};
use crate::connection::{Leaving, Opened};
use crate::http::{After, Form, Outcome, Poll, Print, Service};
use crate::metrics::Held;

/// What a wait came to.
enum Ended {
    Due(Print, Outcome, After),
    HungUp,
}

/// Waits, answers, and waits for what is asked next.
pub(crate) async fn wait<S: AsyncRead + AsyncWrite + Unpin>(
    Leaving { mut opened, poll }: Leaving<S>,
    service: &Service,
) -> Option<Opened<S>> {
    let mut next = Vec::new();
    let parked = service.metrics.parked();
    let ended = until_due(&mut opened, &mut next, &poll, service).await;
    drop(parked);
    let Ended::Due(print, outcome, after) = ended else { return None };
    drop(poll);
    count(&print, outcome, service);
    // Writes that nobody takes fail by themselves.
    opened.stream.write_all(&print.bytes).await.ok()?;
    opened.stream.flush().await.ok()?;
    drop(print);
    if after == After::Closed {
        let _ = opened.stream.shutdown().await;
        return None;
    }
    if next.is_empty() {
        let idle = service.limits.idle_deadline.0.max(service.limits.header_deadline.0);
        let byte = service.closing.run_until_cancelled(timeout(idle, opened.stream.read_u8())).await?;
        next.push(byte.ok()?.ok()?);
    }
    Some(opened.rewound(next.into()))
}

async fn until_due<S: AsyncRead + AsyncWrite + Unpin>(
    opened: &mut Opened<S>,
    next: &mut Vec<u8>,
    poll: &Poll,
    service: &Service,
) -> Ended {
    let Poll { slot, posted, form, longest } = poll;
    let mut watched = slot.watch();
    let changed = async {
        let other = watched.wait_for(|other| other.turn() != posted.turn()).await;
        let other = Arc::clone(&other.expect("a slot outlives whoever waits on it"));
        if form.have.is_some() {
            other.packed().await;
        }
        other
    };
    let hung_up = async {
        // What is asked too early is kept, but no more of it than shows that it is there.
        match opened.stream.read_u8().await {
            Ok(byte) => next.push(byte),
            Err(_) => return,
        }
        std::future::pending().await
    };
    tokio::select! {
        newer = changed => Ended::Due(print(slot, &newer, form, Outcome::Changed, After::Kept), Outcome::Changed, After::Kept),
        () = sleep(*longest) => Ended::Due(print(slot, posted, form, Outcome::Same, After::Kept), Outcome::Same, After::Kept),
        () = service.closing.cancelled() => {
            Ended::Due(print(slot, posted, form, Outcome::Same, After::Closed), Outcome::Same, After::Closed)
        }
        () = hung_up => Ended::HungUp,
    }
}

fn print(slot: &Slot, posted: &Posted, form: &Form, outcome: Outcome, after: After) -> Print {
    slot.printed.lock().unwrap_or_else(PoisonError::into_inner).of(slot, posted, form, outcome, after).clone()
}

fn count(print: &Print, outcome: Outcome, service: &Service) {
    let mut tally = Held::default();
    match outcome {
        Outcome::Changed => {
            tally.notified += 1;
            tally.whole.one_more(print.body_bytes);
        }
        Outcome::Same => tally.same.one_more(print.body_bytes),
    }
    service.metrics.held(&tally);
}
