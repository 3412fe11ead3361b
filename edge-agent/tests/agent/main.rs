//! The agent on real files, against a real HTTP server that serves what the test published, or something worse.

mod apply;
mod attacks;
mod faults;
mod hooks;
#[cfg(feature = "failpoints")]
mod kill;
mod order;
mod server;
mod world;
