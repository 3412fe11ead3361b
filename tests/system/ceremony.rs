//! Key ceremonies as people hold them: with `driftless keys`, with the stock minisign alone, and with both; and what agents
//! that were away make of the roots that came of them.

mod guide;
mod people;
mod refused;
mod rotation;
mod stock;
