//! A bar for long looks through a folder.

use indicatif::{ProgressBar, ProgressStyle};

/// Fewer chips are done before anybody wonders.
const SHOWN_FROM: usize = 2000;

/// Counts chips on standard error, where that is a terminal.
pub(super) struct Watch(ProgressBar);

impl Watch {
    pub fn new(shown: bool, what: &str, chips: usize) -> Self {
        if !shown || chips < SHOWN_FROM {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} chips, {per_sec}, {eta} left");
        let bar = ProgressBar::new(chips as u64).with_message(what.to_string());
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    /// Hands on what was made of one chip.
    pub fn one<T>(&self, made: T) -> T {
        self.0.inc(1);
        made
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
