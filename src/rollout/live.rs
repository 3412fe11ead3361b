//! A block of text that is drawn again in place, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The block.
pub(super) struct Live(ProgressBar);

impl Live {
    /// An empty one, where the cursor is.
    pub(super) fn begin() -> Live {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        bar.set_style(ProgressStyle::with_template("{msg}").expect("the template is well-formed"));
        Live(bar)
    }

    /// Draws `text` in the place of what it showed before.
    pub(super) fn show(&self, text: &str) {
        self.0.set_message(text.to_owned());
        self.0.tick();
    }

    /// Leaves it as it is, and the cursor below.
    pub(super) fn end(self) {
        self.0.abandon();
    }
}
