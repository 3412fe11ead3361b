//! The states of a rollout: how a commit reaches the agents of an app, step by step, as immutable records.
//!
//! A rollout's newest record is all that a publisher needs to go on with it after a crash. Records are sealed with the pointer
//! keys of every region that the rollout reaches: whoever may move those pointers may say how far it came, and nobody else.

mod id;
mod leg;
mod policy;
mod stage;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use id::{InvalidRolloutId, RolloutId};
pub use leg::{Leg, Place};
pub use policy::{
    Budget, Gate, Newer, OnFailure, Policy, Prepare, QuarantineRule, RegionSet, Reverts, Share, Wave, Window,
};
pub use stage::{End, Stage};

use crate::digest::{CommitId, Digest};
use crate::limits::Limits;
use crate::name::{App, Region};
use crate::pointer::Cause;
use crate::seal::Document;
use crate::time::Timestamp;

/// One state of one rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Whose configuration is rolled out.
    pub app: App,
    /// Which rollout of that app.
    pub id: RolloutId,
    /// Which of its states; the first is 1. Creating the record of state n is what makes it so.
    pub n: u64,
    /// When this state was decided.
    pub at: Timestamp,
    /// The commit that is rolled out.
    pub commit: CommitId,
    /// The rules that it goes by: those in force before that commit.
    pub policy: Policy,
    /// Gives agents their slots, see [`crate::pointer::slot`]. The same for all waves.
    pub salt: Box<str>,
    /// How far it is.
    pub stage: Stage,
    /// Who holds it, if somebody does; the gates' clocks stand still meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Cause>,
    /// The regions that it reaches. Those where the commit changes nothing, or goes back to what is known to be good, are not in it.
    pub regions: BTreeMap<Region, Leg>,
    /// Who or what led to this state.
    pub cause: Cause,
}

impl Rollout {
    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended(_))
    }
}

impl Document for Rollout {
    const TYPE: &'static str = "driftless/rollout/1";

    fn max_bytes(limits: &Limits) -> u64 {
        limits.rollout_max_bytes
    }

    fn trusted_comment(&self, payload: Digest) -> String {
        format!("rollout {} {} {} {payload}", self.app, self.id, self.n)
    }

    fn check(&self) -> Result<(), String> {
        if self.n == 0 {
            return Err("states count from 1".to_owned());
        }
        if self.regions.is_empty() {
            return Err("it reaches no region".to_owned());
        }
        self.policy.check()
    }
}
