//! A bar on a terminal, drawn by indicatif.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error; hidden where that is no terminal.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    /// Returns a bar that nobody sees.
    pub fn hidden() -> Self {
        Self(ProgressBar::hidden())
    }

    /// Returns a bar of `total` steps that looks as indicatif's `template` says.
    pub fn on_stderr(template: &str, total: u64) -> Self {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_style(style))
    }

    /// Whether nobody sees it.
    pub fn is_hidden(&self) -> bool {
        self.0.is_hidden()
    }

    /// Begins at `position`: what was done before does not count as this run's speed.
    pub fn begin_at(&self, position: u64) {
        self.0.set_position(position);
        self.0.reset_eta();
    }

    /// Moves to `position`.
    pub fn set_position(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Moves on by one.
    pub fn advance(&self) {
        self.0.inc(1);
    }

    /// Sets the text beside it.
    pub fn set_message(&self, text: String) {
        self.0.set_message(text);
    }

    /// Writes a line that stays, above the bar.
    pub fn print_line(&self, text: &str) {
        self.0.println(text);
    }

    /// Takes it off the terminal.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}
