//! The rules of the controller, one by one.

mod asking;
mod commands;
mod counting;
mod crowds;
mod gates;
mod hands;
mod holds;
mod plans;
mod quarantine;
mod waves;
