//! Real gateways on real sockets, fed from real directories.

mod acks;
mod client;
mod limits;
mod objects;
mod pointer;
mod publication;
mod running;
mod source;
mod status;
mod surface;
mod upstream;
