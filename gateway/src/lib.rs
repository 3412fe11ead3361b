//! Stateless regional server: holds long-polls, serves store paths, gathers acks.
//!
//! In: a store, or the base URLs of other gateways. Out: the HTTP surface that agents and gateways further down speak to.
//! A gateway verifies what it relays and needs no key that signs; agents verify all of it again, so a gateway that lies
//! costs them time and nothing else. It keeps nothing on disk: restarted, it looks at its source and is what it was, but
//! for what agents said, which they say again or which the next generation brings, and for the keys that it saw them sign with.
//!
//! Where to start reading: [`Gateway`] (the parts and how they run), `board.rs` (the newest pointers, and waiting for them),
//! `http/` (one file for each thing that can be asked), `entrance/door.rs` (who may ask), `acks/tally.rs` (counting, as a pure function).

mod accept;
mod acks;
mod admission;
mod agents;
mod board;
mod causes;
mod clock;
mod config;
mod connection;
mod control;
mod entrance;
mod follow;
mod gateway;
mod header;
mod health;
mod held;
mod http;
mod lot;
mod metrics;
mod multiplex;
mod objects;
mod packer;
mod packs;
mod pair;
mod relay;
mod reload;
mod report;
mod rewound;
mod source;
mod stall;
mod tls;
mod trust;
mod view;

pub use agents::Agents;
pub use config::{Config, ConfigError, Entrance, EntranceError, Followed, Limits, SourceUrl};
pub use control::{Call, Control, Reply};
pub use entrance::{Admit, RegistryError};
pub use gateway::{BindError, Gateway, GatewayError};
pub use reload::Unreadable;
pub use tls::{Clients, Presence, Tls, TlsError};
pub use trust::PinError;
