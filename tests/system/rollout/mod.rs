//! Rollouts through real processes: `driftless up`, real git, and agents of the real library in three regions.
//!
//! Whatever a test is about, a [`witness`] looks at every host all the time: no more of them may run a bundle than a signed
//! pointer allowed.

mod crowd;
mod git;
mod hands;
mod kills;
mod liars;
mod operator;
mod outages;
mod plain;
mod prepare;
mod quarantine;
mod relay;
mod site;
mod two;
mod when;
mod witness;
