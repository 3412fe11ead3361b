//! Which gateway of our own is measured, and by whom: what the command line says.

use std::path::PathBuf;

use crate::exit::Failure;

/// Whether a gateway speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Transport {
    Plain,
    Tls,
}

/// What agents run while they wait, and say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) enum Runs {
    /// Nothing yet: the answer is the pointer. Measures what is told to a fleet on its first day.
    Nothing,
    /// A bundle that nothing patches: the answer is pointer and manifest. Measures what is told to a fleet on any other day, but
    /// for the bytes of a patch.
    Something,
}

/// Which gateway of our own to start, and for whom.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::bench) struct Own {
    /// Have the gateway speak TLS
    #[arg(long)]
    tls: bool,

    /// Have agents say that they run something, as all do after their first bundle: what they are answered brings the manifest along.
    /// Without it they run nothing yet, and get the pointer alone
    #[arg(long)]
    have: bool,

    /// Start the gateway of this build of `driftless`, instead of the one that runs: for a comparison of two
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

impl Own {
    /// Whether it speaks TLS.
    pub(in crate::bench) fn transport(&self) -> Transport {
        if self.tls { Transport::Tls } else { Transport::Plain }
    }

    /// What its agents run.
    pub(in crate::bench) fn runs(&self) -> Runs {
        if self.have { Runs::Something } else { Runs::Nothing }
    }

    /// The program to start.
    pub(super) fn program(&self) -> Result<PathBuf, Failure> {
        self.program.clone().map_or_else(std::env::current_exe, Ok).map_err(Failure::unexpected)
    }
}
