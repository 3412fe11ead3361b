//! What a journal remembers, record by record.

use schema::ack::Step;
use schema::time::Length;
use schema::{Ack, AgentId, Digest, Epoch, Generation, Order, Pointer, Seen, Timestamp};
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
    /// A hook said no, or nobody said yes in time: go back if it was switched, and do not try again for this generation.
    Bad(Bad),
    /// A pointer lets a candidate that runs on trial run for good.
    Confirmed {
        /// The bundle.
        digest: Digest,
    },
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

/// How long a pointer counts, and what it names: what has to be known of it when nobody gives it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Until {
    /// From when on it is stale.
    pub expires: Timestamp,
    /// The bundle that it calls stable.
    pub stable: Digest,
    /// The bundle that it rolls out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<Digest>,
    /// Whether it keeps this agent on what it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// Why an agent is to stay on what it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Its whole region is.
    Frozen,
    /// It is in quarantine.
    Quarantined,
}

impl Until {
    /// What to remember of `pointer` on the host of `agent`.
    pub fn of(pointer: &Pointer, agent: &AgentId) -> Until {
        let held = match pointer.freeze {
            true => Some(Held::Frozen),
            false => pointer.quarantine.contains(agent).then_some(Held::Quarantined),
        };
        let candidate = pointer.candidate.as_ref().map(|candidate| candidate.target.digest);
        Until { expires: pointer.expires, stable: pointer.stable.digest, candidate, held }
    }
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
    /// When it was decided, by the time that decisions go by; absent in records of versions that knew no candidates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// How long it may run without anybody's confirmation, if it is on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_within: Option<Length>,
}

impl Intent {
    /// An attempt as something to tell of, which nobody recorded because it switches nothing.
    pub(crate) fn unrecorded(order: Order, target: Digest, previous: Option<Digest>, notified_at: Timestamp) -> Intent {
        Intent { order, target, previous, notified_at, decided_at: None, confirm_within: None }
    }
}

/// A switch that is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The intent that it carried out.
    #[serde(flatten)]
    pub intent: Intent,
    /// Bundle bytes that were fetched for it since the agent last started.
    pub bundle_bytes: u64,
    /// When it was switched, by the time that decisions go by; 1970 in records of versions that did not keep it.
    #[serde(default = "unknown_time")]
    pub at: Timestamp,
}

fn unknown_time() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// A candidate that runs until somebody confirms it or its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The switch.
    pub applied: Applied,
    /// How long it may run.
    pub within: Length,
    /// Since when that counts: the switch, or the end of a freeze or a quarantine after it.
    pub since: Timestamp,
}

/// A bundle that a hook refused, or that nobody confirmed in time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bad {
    /// The attempt.
    #[serde(flatten)]
    pub applied: Applied,
    /// Which hook: [`Step::Check`], [`Step::Reload`] or [`Step::Probe`]; or [`Step::Confirm`].
    pub step: Step,
    /// What it said.
    pub reason: Box<str>,
}
