//! What a journal remembers, record by record.

use schema::ack::Step;
use schema::{Ack, Digest, Epoch, Generation, Order, Seen, Timestamp};
use serde::{Deserialize, Serialize};

use super::JournalState;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A pointer was accepted: from now on none that is older is.
    Seen {
        /// The pointer.
        seen: Seen,
        /// When it was signed: whatever the clock says, it is not earlier than that.
        issued: Timestamp,
        /// How long it counts; absent in records of versions that did not keep it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Until>,
    },
    /// A generation is being applied.
    Intent(Intent),
    /// `current` was switched.
    Applied(Applied),
    /// A hook said no: go back if it was switched, and do not try again for this generation.
    Bad(Bad),
    /// A generation came to a result, or there is something to tell about it before it does.
    Outcome {
        /// What was, or is to be, sent.
        ack: Ack,
    },
    /// An ack was answered.
    Acked {
        /// The generation it was about.
        epoch: Epoch,
        /// The generation it was about.
        generation: Generation,
        /// Its time: answers to older acks do not answer newer ones.
        at: Timestamp,
    },
    /// All that the records before it said.
    Snapshot {
        /// Their fold.
        state: Box<JournalState>,
    },
}

/// How long a pointer counts, and what it asks for: enough to say that it expired when nobody gives it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// From when on it is stale.
    pub expires: Timestamp,
    /// The bundle that it calls stable.
    pub stable: Digest,
}

/// What is to be switched to, written before anything is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The pointer that asks for it.
    pub order: Order,
    /// The bundle it asks for.
    pub target: Digest,
    /// What `current` resolved to.
    pub previous: Option<Digest>,
    /// When the pointer was in hand.
    pub notified_at: Timestamp,
}

/// A switch that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The intent that it carried out.
    #[serde(flatten)]
    pub intent: Intent,
    /// Bundle bytes that were fetched for it since the agent last started.
    pub bundle_bytes: u64,
}

/// A bundle that a hook refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// The attempt.
    #[serde(flatten)]
    pub applied: Applied,
    /// Which hook: [`Step::Check`], [`Step::Reload`] or [`Step::Probe`].
    pub step: Step,
    /// What it said.
    pub reason: Box<str>,
}
