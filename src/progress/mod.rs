//! What counts things on standard error, where that is a terminal.

// Without the feature no bar is ever seen, as where there is no terminal.
#[cfg_attr(not(feature = "progress"), path = "no_bar.rs")]
mod bar;

pub(crate) use bar::Bar;

/// Counts what is done of a total.
pub(crate) struct Counter(Bar);

impl Counter {
    /// Creates a counter of `total` things named `unit`, such as "chips"; one that is not shown costs nothing.
    pub fn new(is_shown: bool, what: &str, unit: &str, total: usize) -> Self {
        if !is_shown {
            return Self(Bar::hidden());
        }
        let template = format!("{{msg}} {{wide_bar}} {{pos}}/{{len}} {unit}, {{per_sec}}, {{eta}} left");
        let bar = Bar::on_stderr(&template, total as u64);
        bar.set_message(what.to_string());
        Self(bar)
    }

    /// Counts one thing and returns what was made of it.
    pub fn one<T>(&self, made: T) -> T {
        self.0.advance();
        made
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        self.0.clear();
    }
}
