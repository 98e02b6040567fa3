//! How far work has come: a bar on standard error, where that is a terminal, and a caller who wants to be told.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

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

/// A caller's function that receives the fraction of work done, from 0 to 1. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Observer(Arc<Mutex<dyn FnMut(f64) + Send>>);

impl Observer {
    pub fn new(tell: impl FnMut(f64) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(tell)))
    }

    /// Tells that `done` of `total` is done; of nothing, all is.
    pub fn tell(&self, done: u64, total: u64) {
        let share = if done >= total { 1.0 } else { done as f64 / total as f64 };
        // After a panic of the caller's function elsewhere it is called all the same: it is the caller's to judge.
        let mut tell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tell(share);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_go_from_nothing_to_all() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let observer = Observer::new({
            let told = told.clone();
            move |share| told.lock().unwrap().push(share)
        });
        [(0, 4), (1, 4), (4, 4), (5, 4), (0, 0)].iter().for_each(|&(done, total)| observer.clone().tell(done, total));
        assert_eq!(*told.lock().unwrap(), [0.0, 0.25, 1.0, 1.0, 1.0]);
    }
}
