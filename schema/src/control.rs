//! What is said between the command line and a publisher: the JSON of `/v1/control`.
//!
//! ```text
//! POST /v1/control/commands     one `Command`, as an operator     -> `Done`
//! GET  /v1/control/rollouts     as viewer or operator             -> a list of `RolloutStatus`, see `status`
//! GET  /v1/control/quarantine   as viewer or operator             -> a list of `Quarantined`
//! ```
//!
//! Errors have the gateway's shape: `{"error": …, "hint": …}`.

use serde::{Deserialize, Serialize};

use crate::digest::CommitId;
use crate::name::{AgentId, App, Region};
use crate::order::Generation;
use crate::time::Timestamp;

/// What an operator wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// Why: goes into the audit log beside the name that the token stands for.
    #[serde(default)]
    pub why: Box<str>,
}

/// What can be commanded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum What {
    /// Holds the app's rollout where it is.
    Pause {
        /// Whose.
        app: App,
    },
    /// Lets it go on, with the time that its gates had left.
    Resume {
        /// Whose.
        app: App,
    },
    /// Goes to the next wave now, without waiting for gate, soak or window.
    Promote {
        /// Whose.
        app: App,
    },
    /// Gives the rollout up: its regions go back and its commit is blocked.
    Abort {
        /// Whose.
        app: App,
    },
    /// Says that agents may keep the candidate that they run: the dead man's switch is off for this wave.
    Confirm {
        /// Whose.
        app: App,
    },
    /// Everyone stays on what they run, and nothing is published there.
    Freeze {
        /// Only this app; none: all.
        #[serde(default)]
        app: Option<App>,
        /// Only this region; none: all.
        #[serde(default)]
        region: Option<Region>,
    },
    /// Ends a freeze.
    Unfreeze {
        /// Only this app; none: all.
        #[serde(default)]
        app: Option<App>,
        /// Only this region; none: all.
        #[serde(default)]
        region: Option<Region>,
    },
    /// Pins an agent to what it runs.
    Quarantine {
        /// For which app.
        app: App,
        /// Where.
        region: Region,
        /// Whom.
        agent: AgentId,
    },
    /// Lets it go again.
    Release {
        /// For which app.
        app: App,
        /// Where.
        region: Region,
        /// Whom.
        agent: AgentId,
    },
}

/// What came of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// As whom it was done.
    pub who: Box<str>,
    /// What changed, one line each; empty where all was so before.
    pub changed: Vec<String>,
}

/// An agent in quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// For which app.
    pub app: App,
    /// Where.
    pub region: Region,
    /// Who.
    pub agent: AgentId,
    /// Since which generation.
    pub generation: Generation,
    /// Since when.
    pub since: Timestamp,
    /// Who put it there.
    pub who: Box<str>,
    /// Why.
    pub why: Box<str>,
    /// What the agent said last, if it is heard of; untrusted text.
    #[serde(default)]
    pub last_word: Option<Box<str>>,
    /// The commit of the bundle that it runs, if that is known.
    #[serde(default)]
    pub runs: Option<CommitId>,
}
