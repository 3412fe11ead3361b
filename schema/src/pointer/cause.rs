//! Who made a generation, and why: the audit log is the history of pointers, and this is its text.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a generation is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Who did it: an operator by the name of a token, or `publisher`.
    pub who: Box<str>,
    /// What was done.
    pub deed: Deed,
    /// Why, in the operator's words or the publisher's; untrusted text, at most [`Cause::WHY_MAX`] characters.
    pub why: Box<str>,
}

/// What can be done to a region or a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// A rollout began.
    Begin,
    /// A rollout went a step further.
    Advance,
    /// An operator let a rollout go a step further without its gate.
    Promote,
    /// What runs may stay for good.
    Confirm,
    /// A rollout stands still.
    Pause,
    /// A rollout goes on.
    Resume,
    /// A rollout was given up by hand; the region is back at what was stable.
    Abort,
    /// A gate failed, or an operator went back by hand.
    Rollback,
    /// Another commit took a rollout's place.
    Supersede,
    /// A rollout reached everyone.
    Complete,
    /// Everyone stays on what they run.
    Freeze,
    /// Nobody is held any more.
    Unfreeze,
    /// Agents were put into quarantine.
    Quarantine,
    /// Agents were let out of quarantine.
    Release,
}

impl Cause {
    /// How long a reason may be, in characters.
    pub const WHY_MAX: usize = 300;
    /// What the publisher calls itself.
    pub const PUBLISHER: &str = "publisher";

    /// What `who` did; `why` is cut to one line of [`Cause::WHY_MAX`] characters.
    pub fn new(who: &str, deed: Deed, why: &str) -> Cause {
        Cause {
            who: crate::text::one_line(who, 64).into(),
            deed,
            why: crate::text::one_line(why, Cause::WHY_MAX).into(),
        }
    }

    /// What the publisher did by itself.
    pub fn own(deed: Deed, why: &str) -> Cause {
        Cause::new(Cause::PUBLISHER, deed, why)
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Deed::Begin => "begin",
            Deed::Advance => "advance",
            Deed::Promote => "promote",
            Deed::Confirm => "confirm",
            Deed::Pause => "pause",
            Deed::Resume => "resume",
            Deed::Abort => "abort",
            Deed::Rollback => "rollback",
            Deed::Supersede => "supersede",
            Deed::Complete => "complete",
            Deed::Freeze => "freeze",
            Deed::Unfreeze => "unfreeze",
            Deed::Quarantine => "quarantine",
            Deed::Release => "release",
        })
    }
}
