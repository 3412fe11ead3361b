//! The rules in force for one look: the policy as its file says right now, every revocation ever read, and what overrides lift.
//!
//! In: the files that the configuration names, and what the state folder remembers of earlier ones. Out: [`Rules`]. Where any of it
//! is missing or wrong, nothing may be judged. Blocks.

use std::sync::Arc;

use schema::Timestamp;

use super::error::LookError;
use crate::config::Config;
use crate::overrides::{Lifted, LiftedMoves, Overrides, place};
use crate::signers::{Mode, Revocations, SignerPolicy};

/// What commits are judged by.
pub(super) struct Rules {
    pub(super) policy: SignerPolicy,
    pub(super) overrides: Overrides,
    pub(super) lifted: LiftedMoves,
    /// What is worth knowing of them, one sentence each.
    pub(super) notes: Vec<String>,
}

impl Rules {
    /// Reads all of it, and remembers what is revoked.
    pub(super) fn read(config: &Config, now: Timestamp) -> Result<Rules, LookError> {
        let in_file = SignerPolicy::load(&config.signers)?;
        let mut revocations = Revocations::open(&config.state.join("revoked"))?;
        // Before anything is judged by it: from now on it holds whatever becomes of the file.
        revocations.remember(in_file.revoked(), now)?;
        let mut notes = revocations.missing_from(in_file.revoked());
        if in_file.mode() == Mode::Head {
            notes.push(
                "the signer policy is in mode `head`: only the tip has to be signed, so whoever pushes below it publishes \
                 without a signature of their own"
                    .to_owned(),
            );
        }
        let policy = in_file.with_revocations(revocations.all());
        let overrides =
            Overrides::read(&config.signers, &policy, &place(&config.source.repository, &config.source.branch), now);
        let lifted = LiftedMoves::open(&config.state.join("lifted"))?;
        Ok(Rules { policy, overrides, lifted, notes })
    }

    /// The moves that were lifted, and those that are to be.
    pub(super) fn moves(&self) -> Arc<[Lifted]> {
        let good = self.overrides.good.iter().map(|good| Lifted::from(&good.statement));
        self.lifted.all().iter().cloned().chain(good).collect()
    }
}
