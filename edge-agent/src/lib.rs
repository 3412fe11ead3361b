//! The agent: follows, verifies, stages, checks, activates, acks.
//!
//! In: a [`Config`], and whatever the base URLs in it serve. Out: for each app a link `current` to a tree that was signed,
//! switched in one step, and word of what came of each generation. Nothing that serves the bytes is trusted, and nothing outside
//! the host can make an agent remove or change what runs other than by a newer signed pointer.
//!
//! Where to start reading: [`decide`] (what to do next, a pure function), `apply.rs` (the steps, in order), [`journal`] (what
//! survives a crash), `trust.rs` (who is believed). The shell around them is `keeper.rs`, one task for each app.
//!
//! What is promised about a generation: `current` is switched to it at most once and one result is recorded. Hooks are at-least-once:
//! after a crash one may run again for the same generation. A generation that moves an agent on by itself, from stable to its
//! candidate, has a switch and a result for each of the two.
//!
//! Candidates of a rollout are taken by whoever the signed pointer means: an agent knows from its name and labels alone whether and
//! when that is, so a staged rollout needs no server. A candidate that nobody confirms in time goes again without one.

mod agent;
mod apply;
pub mod backoff;
mod blocking;
mod complaint;
mod config;
pub mod decide;
mod disk;
#[cfg(feature = "failpoints")]
pub mod failpoints;
mod hook;
mod identity;
pub mod journal;
mod keeper;
mod memory;
mod metrics;
mod outbox;
mod rule;
mod scrub;
mod state;
mod status;
mod tree;
mod trust;
mod verify;

pub use agent::{AgentError, run};
pub use apply::STEPS;
pub use config::{AppConfig, Config, ConfigError};
pub use hook::{Argv, Hook, InvalidArgv};
pub use identity::{IdentityError, identity};
pub use memory::keep_out_of_core_dumps;
pub use scrub::{Condition, Scrub};
pub use state::{AppFolder, LockError, StateFolder};
pub use status::{AppStatus, Freshness, Role, StatusError, status};
pub use tree::{DiskError, RearchiveError, rearchive};
pub use trust::{NotReplaced, Replaced, TrustError, replace_root};
pub use verify::{AppProof, Finding, Unprovable, verify};
