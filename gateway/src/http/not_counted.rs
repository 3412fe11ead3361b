//! Why what an agent says is not counted: as a metric, and as an answer that says what to do about it.

use std::time::Duration;

use http::StatusCode;
use schema::ack::InvalidAcks;

use super::answer::{self, Answer};
use super::turned;
use crate::acks::{Exhausted, Refused};
use crate::causes::in_one_line;
use crate::entrance::{NotItsKey, NotTheirs};
use crate::pair::Pair;

/// Why a batch is not counted, in the order in which that is found out.
pub(super) enum NotCounted {
    NotTheirs(NotTheirs),
    Exhausted(Exhausted),
    /// The body did not come, or not all of it.
    NoBody(Box<Answer>),
    /// So many signatures are being checked that this one would have to wait for too long.
    Busy,
    Invalid(InvalidAcks),
    NotItsKey(NotItsKey),
    /// Whether there is a pointer that it is about is not known.
    NotKnown(Box<Answer>),
    Refused(Refused),
}

impl NotCounted {
    /// Its name in metrics.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            NotCounted::NotTheirs(_) => "not_theirs",
            NotCounted::Exhausted(Exhausted::Payer { .. }) => "too_often",
            NotCounted::Exhausted(Exhausted::Everyone)
            | NotCounted::NotItsKey(NotItsKey::Full)
            | NotCounted::Refused(Refused::Full) => "full",
            NotCounted::NoBody(_) | NotCounted::Invalid(_) => "malformed",
            NotCounted::Busy => "busy",
            NotCounted::NotItsKey(_) => "wrong_key",
            NotCounted::NotKnown(_) => "not_known",
            NotCounted::Refused(Refused::Ahead { .. }) => "ahead",
        }
    }

    /// Of an ack that was relayed: a pointer that it is about could not be asked for yet.
    pub(super) fn not_known_yet(pair: &Pair) -> NotCounted {
        let error = format!("whether there is a pointer of {pair} is not known yet");
        NotCounted::NotKnown(Box::new(come_back(&error, "send it again in a moment", 1)))
    }

    /// Whether the same may be counted when it is sent again.
    pub(super) fn may_count_later(&self) -> bool {
        match self {
            NotCounted::Exhausted(_) | NotCounted::Busy | NotCounted::NotKnown(_) | NotCounted::Refused(_) => true,
            NotCounted::NotItsKey(wrong) => *wrong == NotItsKey::Full,
            NotCounted::NotTheirs(_) | NotCounted::NoBody(_) | NotCounted::Invalid(_) => false,
        }
    }

    pub(super) fn into_answer(self) -> Answer {
        match self {
            NotCounted::NotTheirs(wrong) => turned::not_theirs(&wrong),
            NotCounted::Exhausted(exhausted) => turned::exhausted(exhausted),
            NotCounted::NoBody(answer) | NotCounted::NotKnown(answer) => *answer,
            NotCounted::Busy => come_back("too many acks came at once", "send it again in a moment", 1),
            NotCounted::Invalid(error) => {
                let hint = match error {
                    InvalidAcks::Head(_) => "send signed acks, `driftless/acks/2`; an agent that cannot is too old",
                    _ => "send what one agent says, each ack signed by the key in the first line",
                };
                answer::problem(StatusCode::BAD_REQUEST, &in_one_line(&error), hint)
            }
            NotCounted::NotItsKey(wrong) => turned::not_its_key(&wrong),
            NotCounted::Refused(refused) => {
                let (hint, after) = match refused {
                    Refused::Full => (turned::FULL, 60),
                    Refused::Ahead { .. } => ("send it again when this gateway has caught up", 2),
                };
                come_back(&refused.to_string(), hint, after)
            }
        }
    }
}

fn come_back(error: &str, hint: &str, after_s: u64) -> Answer {
    answer::busy(StatusCode::SERVICE_UNAVAILABLE, error, hint, Duration::from_secs(after_s))
}

impl From<NotTheirs> for NotCounted {
    fn from(wrong: NotTheirs) -> NotCounted {
        NotCounted::NotTheirs(wrong)
    }
}

impl From<Exhausted> for NotCounted {
    fn from(exhausted: Exhausted) -> NotCounted {
        NotCounted::Exhausted(exhausted)
    }
}

impl From<NotItsKey> for NotCounted {
    fn from(wrong: NotItsKey) -> NotCounted {
        NotCounted::NotItsKey(wrong)
    }
}
