//! The program's diary on standard error.

use std::io::IsTerminal as _;

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::bench::Marks;
use crate::exit::{Failure, Outcome};

/// How the diary is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

/// Opens the diary. `filter` is in tracing's directive syntax, such as `info` or `gateway=debug`. What `marks` listens for is
/// its own business, and is not written down.
pub(crate) fn open(filter: &str, format: LogFormat, marks: Option<Marks>) -> Outcome {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failure::usage(error).hint("--log takes error, warn, info or debug, or one for a module like `gateway=debug`")
    })?;
    let diary = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let diary = match format {
        LogFormat::Text => diary.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => diary.json().flatten_event(true).boxed(),
    };
    let listening = tracing_subscriber::registry().with(diary.with_filter(filter)).with(marks.map(Marks::layer));
    // A diary that is open already stays as it is.
    let _already_open = listening.try_init();
    Ok(())
}
