//! From a signed commit to a moved pointer: verify, compile, sign, store, point.
//!
//! In: a branch of a git repository, and a policy of who may sign. Out: bundles, manifests, history records and pointers in
//! a store. Knows nothing of agents or gateways: whoever reads the store verifies it all again.
//!
//! ```text
//! source ── tip ──> proof ── VerifiedCommit ──> compile ── bundles ──> publish ── pointers ──> store
//!                     ^                                                  ^
//!                  signers                                          plan, region
//! ```
//!
//! Nothing is remembered that matters: which orders are taken, and by whom, is told by the history records in the store
//! alone. So a publisher can be killed anywhere, lose its disk, or run twice, and the next one goes on from the store.
//!
//! Where to start reading: [`daemon`] (what happens when), [`publish`] (the order of writes), [`plan`](mod@plan) (what a
//! region needs), [`region`] (how a region's pointer is found and repaired), [`proof`] (why a commit is believed),
//! [`mod@compile`] (why the same tree gives the same bytes).

mod blocking;
mod causes;
pub mod ceremony;
pub mod committer;
pub mod compile;
pub mod config;
pub mod control;
pub mod daemon;
mod duty;
mod group;
pub mod guards;
pub mod history;
pub mod keys;
mod kind;
mod ledger;
mod nearest;
pub mod overrides;
pub mod plan;
pub mod proof;
pub mod publish;
mod publisher;
mod rebuild;
pub mod region;
pub mod rollback;
pub mod rollout;
mod side_by_side;
pub mod signers;
pub mod source;
mod start;
pub mod trust;

pub use causes::causes;
pub use config::Config;
pub use duty::Duty;
pub use keys::Keys;
pub use kind::ErrorKind;
pub use ledger::LedgerError;
pub use publisher::{Clock, Orders, Publisher};
pub use rebuild::{Mismatch, RebuildError};
pub use start::StartError;
pub use trust::TrustError;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod fixture;
