//! What operators may ask of a running publisher, and how: `/v1/control`.
//!
//! `access.rs` and `file.rs` are what the operator writes (`control.yaml`), `call.rs` is one request and its answer without any
//! HTTP, `command.rs` reads what is to be done, `api.rs` puts them against one another, and `orders.rs` carries commands to the
//! daemon's loop, which alone writes.

mod access;
mod api;
mod call;
mod command;
mod file;
mod orders;
mod quarantined;

pub use access::InvalidAccess;
pub use api::Api;
pub use call::{Call, Reply};
pub use file::{AccessFile, AccessFileError};
pub use orders::{CommandError, Order, Orders, Receiver, orders};
