//! Real gateways on real sockets, fed from real directories.

mod acks;
mod admission;
mod agent;
mod authority;
mod book;
mod client;
mod control;
mod crowd;
mod enclosed;
mod guide;
mod hostile;
mod limits;
mod lot;
mod multiplex;
mod objects;
mod pointer;
mod proxy;
mod publication;
mod relay;
mod reload;
mod running;
mod source;
mod status;
mod surface;
mod tls;
mod upstream;
