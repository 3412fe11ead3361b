//! The program's diary on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::exit::{Failure, Outcome};

/// How the diary is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Opens the diary. `filter` is in tracing's directive syntax, such as `info` or `gateway=debug`.
pub(crate) fn open(filter: &str, format: LogFormat) -> Outcome {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::usage(error).hint("--log takes error, warn, info or debug, or one for a module like `gateway=debug`")
    })?;
    let diary = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A diary that is open already stays as it is.
    let _already_open = match format {
        LogFormat::Text => diary.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => diary.json().flatten_event(true).try_init(),
    };
    Ok(())
}
