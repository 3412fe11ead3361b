//! Keeps the view up to date: the trust root, and every pointer.
//!
//! A store is listed and read again and again; an upstream is asked to say when a pointer moves. Either way a hint only
//! makes us look sooner: what counts is what is found by looking.

mod backoff;
mod demand;
mod roots;
mod store;
mod upstream;

pub(crate) use backoff::jittered;
pub(crate) use demand::{Asked, Asks, Demand, demand};
pub(crate) use roots::run as follow_roots;
pub(crate) use store::follow_store;
pub(crate) use upstream::follow_upstream;
