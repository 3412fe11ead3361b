//! The conformance suite of The Update Framework, on our formats and rules, and the key attacks that go beyond it.
//!
//! Tests that start with `tuf_test_` bear the name of the function of that suite whose question they ask; `docs/tuf.md` lists
//! all of them, also those that are asked elsewhere and those that cannot be asked here. A timestamp and a snapshot are one
//! thing here, the pointer; targets metadata is the manifest; a target file is the bundle.

mod attacks;
mod basic;
mod download;
mod expiration;
mod keys;
mod malleability;
mod rollback;
mod rotation;
mod world;
