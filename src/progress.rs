//! A bar that counts things on standard error, where that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// Counts what is done of a total.
pub(crate) struct Counter(ProgressBar);

impl Counter {
    /// Creates a counter of `total` things named `unit`, such as "chips"; one that is not shown costs nothing.
    pub fn new(is_shown: bool, what: &str, unit: &str, total: usize) -> Self {
        if !is_shown {
            return Self(ProgressBar::hidden());
        }
        let template = format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left");
        let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
        Self(ProgressBar::new(total as u64).with_message(what.to_string()).with_style(style))
    }

    /// Counts one thing and returns what was made of it.
    pub fn one<T>(&self, made: T) -> T {
        self.0.inc(1);
        made
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
