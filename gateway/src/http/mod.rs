//! The HTTP surface: what can be asked, and how it is answered.
//!
//! One file for each thing that can be asked. Everything else about HTTP is hyper's.

mod acks;
mod answer;
mod body;
mod control;
mod desk;
mod etag;
mod form;
mod not_counted;
mod object;
mod parked;
mod pointer;
mod prefer;
mod printed;
mod range;
mod relay;
mod route;
mod service;
mod status;
mod summaries;
mod turned;

pub(crate) use desk::{Desk, Poll};
pub(crate) use etag::ETag;
pub(crate) use form::Form;
pub(crate) use printed::{After, Outcome, Print, Printed};
pub(crate) use service::Service;
