//! `driftless man`: the manual pages.

use std::path::PathBuf;

use clap::CommandFactory as _;

use crate::cli::Cli;
use crate::exit::{Failure, Outcome};
use crate::out;

/// Print the manual page, or write one page per subcommand into a folder
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write `driftless.1`, `driftless-up.1` and so on into this folder instead
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let written = match &args.dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page).map(|()| out::raw(&page))
        }
        Some(dir) => std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir)),
    };
    written.map_err(Failure::unexpected)
}
