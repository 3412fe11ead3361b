//! The agent on real files, against a real HTTP server that serves what the test published, or something worse.

mod absent;
mod acks;
mod apply;
mod archives;
mod attacks;
mod command;
mod enclosed;
mod faults;
mod freshness;
mod heartbeat;
mod hooks;
#[cfg(feature = "failpoints")]
mod kill;
mod meanwhile;
mod metrics;
mod order;
mod patches;
mod rollout;
mod scrub;
mod server;
mod trial;
mod trust;
mod world;
