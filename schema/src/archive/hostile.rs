//! Archives made to do harm, and the fault that each is refused with.
//!
//! Each is whole and well-formed but for what its name says, with checksums set right, so that the fault is the one
//! meant. Built only for tests, here and in whatever unpacks archives.

use super::reader::ReadFault;
use crate::limits::Limits;

/// An archive made to do harm.
pub struct Hostile {
    /// What it tries.
    pub name: &'static str,
    /// The whole archive.
    pub bytes: Vec<u8>,
    is_meant: fn(&ReadFault) -> bool,
}

impl Hostile {
    /// Whether `fault` is the one that it must be refused with, when read within [`LIMITS`].
    pub fn is_refused_by(&self, fault: &ReadFault) -> bool {
        (self.is_meant)(fault)
    }
}

/// The limits that some of the archives go beyond.
pub const LIMITS: Limits = Limits { entries_max: 4, bundle_max_bytes: 65_536, ..Limits::DEFAULT };

/// Every hostile archive.
pub fn corpus() -> Vec<Hostile> {
    let headers = [headers::names(), headers::types(), headers::fields()];
    let sequences = [sequences::extensions(), sequences::trees(), sequences::ends()];
    headers.into_iter().chain(sequences).flatten().collect()
}

macro_rules! corpus {
    ($($name:literal: $bytes:expr => $wrong:pat,)*) => {
        vec![$(Hostile { name: $name, bytes: $bytes, is_meant: |wrong| matches!(wrong, $wrong) }),*]
    };
}

macro_rules! bad_path {
    ($wrong:ident) => {
        ReadFault::Path(crate::path::InvalidPath { wrong: PathFault::$wrong { .. }, .. })
    };
}

mod craft;
mod headers;
mod sequences;

#[cfg(test)]
mod tests;
