//! What the audience sees: headings, a progress bar, small tables. With `--json` nothing but the bar, on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::figures::{Percentiles, Propagation};
use crate::{out, table};

/// Where the show is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// People watch.
    People,
    /// A program waits for the figures.
    Machine,
}

impl Stage {
    /// Begins an act.
    pub(super) fn heading(self, text: &str) {
        self.say("");
        self.say(text);
    }

    /// One line of the act.
    pub(super) fn say(self, text: &str) {
        if self == Stage::People {
            out::data(text);
        }
    }

    /// A bar that fills as agents answer; drawn only on a terminal.
    pub(super) fn bar(self, of: usize, text: &'static str) -> ProgressBar {
        let bar = match self {
            Stage::People => ProgressBar::new(of as u64),
            Stage::Machine => ProgressBar::with_draw_target(Some(of as u64), ProgressDrawTarget::hidden()),
        };
        let style = ProgressStyle::with_template("  {msg:<10} {wide_bar} {pos}/{len} agents {elapsed_precise}");
        bar.set_style(style.expect("the template is well-formed"));
        bar.set_message(text);
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }

    /// How a commit travelled.
    pub(super) fn propagation(self, propagation: &Propagation) {
        let row = |name: &str, Percentiles { p50, p99, max }: Percentiles| {
            vec![format!("  {name}"), ms(p50), ms(p99), ms(max)]
        };
        let pointer = propagation.commit_to_pointer_ms;
        let rows = [
            vec!["  commit -> pointer".to_owned(), String::new(), String::new(), ms(pointer)],
            row("pointer -> notified", propagation.pointer_to_notified_ms),
            row("pointer -> applied", propagation.pointer_to_applied_ms),
        ];
        self.say(&table::lay_out(&["", "p50", "p99", "last"], &rows));
        self.say(&format!("  bundle bytes moved: {}", propagation.bundle_bytes));
    }
}

fn ms(millis: u64) -> String {
    format!("{millis} ms")
}
