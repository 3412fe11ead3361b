//! A fleet in simulated time: how long a commit takes to reach everyone, and what that costs.
//!
//! In: a [`Scenario`]: how many agents, in how many regions, behind what, how slow and lossy the network is, by which policy
//! commits go, and the [`Constants`] that were measured. Out: a [`Report`]. The same scenario gives the same report, byte for byte:
//! there is no clock in here, and all chance comes from the seed.
//!
//! What decides is not modelled but called: which pointer replaces which ([`schema::succession::succeed`]), what an agent does
//! about one ([`edge_agent::decide::next`], and with it [`schema::Pointer::assignment`]), whom a follower asks next and when
//! ([`follower::schedule::Schedule`]), how long a failed attempt rests ([`edge_agent::backoff::Backoff`]), and when a rollout goes
//! on ([`publisher::rollout::step`]). Pointers are really signed, once each. What is modelled is what lies between: the time
//! that bytes, processors and disks take. No signature is checked here; what that costs is a constant.
//!
//! Where to start reading: `world.rs` (what happens when), `host.rs` (how a million journals fit into memory), `rules.rs` (what must
//! hold at the end).

mod cdn;
mod clock;
mod constants;
mod controller;
mod fleet;
mod followers;
mod gateway;
mod host;
mod latency;
mod network;
mod origin;
mod policy;
mod propagation;
mod queue;
mod report;
mod rules;
mod scenario;
mod topology;
mod traffic;
mod world;

pub use constants::{Constant, Constants, InvalidConstants};
pub use latency::{InvalidLatency, Latency};
pub use policy::{PolicyError, PolicySource};
pub use report::{
    CommitReport, Decisions, LayerReport, Percentiles, Report, RuleReport, Setting, StepReport, TransferReport,
};
pub use scenario::{Scenario, ScenarioError};
pub use topology::{Edge, InvalidTopology, Topology};
pub use world::simulate;
