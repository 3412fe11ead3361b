//! TLS on the listener: what it is configured with, and the certificates as they are now.

mod config;
mod material;
mod name;

pub use config::{Clients, Presence, Tls};
pub use material::TlsError;
pub(crate) use material::{Certificates, HTTP2};
pub(crate) use name::{Unnamed, name_of};
