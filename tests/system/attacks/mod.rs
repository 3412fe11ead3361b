//! Attacks A01 to A27 on a real agent process: a hostile proxy between it and an honest gateway, and thieves of single keys.
//!
//! Every attack ends the same way, and [`arena::Arena::attacked`] asserts all of it: what runs does not change, nothing is
//! written outside the stage, the agent runs on, it names what it refused and counts it, and the next honest answer is applied.

mod acks;
mod answer;
mod arena;
mod bodies;
mod chains;
mod forge;
mod freshness;
mod listing;
mod mangle;
mod message;
mod metrics;
mod mischief;
mod order;
mod proxy;
mod random;
mod seals;
mod thefts;
mod transport;
mod witness;
