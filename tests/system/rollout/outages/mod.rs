//! Outages that others had and told of, and the guard that stops each here. Every test begins with what happened then.
//!
//! The first comment of a test says what happened and what stands in its way; `FAULTS` of the design lists them all. Apps are
//! independent of one another, so that most tests share one site, each with an app of its own.

mod guards;
mod hosts;
mod shared;
mod waves;
