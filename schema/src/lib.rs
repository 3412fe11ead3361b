//! The formats of Driftless: parse, encode, sign, verify.
//!
//! Everything here is pure and synchronous: no files, no sockets, no clock. Time comes in as a [`Timestamp`], bytes come
//! in as slices or readers, and every read is bounded by [`Limits`]. What a publisher signs and what an agent verifies is
//! one type, so the two cannot drift apart.
//!
//! Where to start reading: [`seal`] (how a document is signed), [`mod@pointer`] (the one file that moves), [`archive`] (what a
//! bundle is made of), [`succession`] (which pointer may replace which).

pub mod ack;
pub mod archive;
pub mod control;
pub mod cycle;
pub mod digest;
pub mod enclosed;
pub mod encoding;
pub mod fleet;
pub mod keys;
pub mod layout;
pub mod limits;
pub mod manifest;
pub mod name;
pub mod order;
pub mod path;
pub mod pointer;
pub mod rollout;
pub mod root;
pub mod seal;
pub mod status;
pub mod succession;
pub mod text;
pub mod time;
pub mod yaml;

pub use ack::{Ack, AckBatch, Outcome, SignedAck};
pub use digest::{CommitId, Digest, TreeId};
pub use fleet::AgentReport;
pub use keys::{PublicKey, RoleKeys};
pub use layout::StorePath;
pub use limits::Limits;
pub use manifest::Manifest;
pub use name::{AgentId, App, Region};
pub use order::{Epoch, Generation, Order, Serial};
pub use path::EntryPath;
pub use pointer::{Pointer, Target};
pub use rollout::{Rollout, RolloutId};
pub use root::TrustRoot;
pub use seal::{Sealed, Verified};
pub use succession::{Seen, Succession};
pub use time::Timestamp;
