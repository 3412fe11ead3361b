//! Who comes in, and in whose name.
//!
//! `admit.rs` and `registry.rs` are what the operator writes, `presented.rs` is what a request brings along, `door.rs` puts
//! the one against the other, and `keys.rs` knows whose key signs which agent's acks.

mod admit;
mod door;
mod keys;
mod presented;
mod registry;

pub use admit::Admit;
pub(crate) use door::{Caller, Door, NotTheirs, TurnedAway};
pub(crate) use keys::{Kept, Keys, NotItsKey, Voucher};
pub(crate) use presented::{Bearer, Peer, bearer_text};
pub use registry::RegistryError;
pub(crate) use registry::RegistryFiles;
