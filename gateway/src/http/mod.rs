//! The HTTP surface: what can be asked, and how it is answered.
//!
//! One file for each thing that can be asked. Everything else about HTTP is hyper's.

mod acks;
mod answer;
mod body;
mod control;
mod etag;
mod not_counted;
mod object;
mod parked;
mod pointer;
mod prefer;
mod range;
mod relay;
mod route;
mod service;
mod status;
mod summaries;
mod turned;

pub(crate) use etag::ETag;
pub(crate) use service::Service;
