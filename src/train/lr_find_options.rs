//! The options of a sweep over learning rates.

use crate::control::{Control, control_setters};
use crate::error::{Error, ErrorKind, Result};
use crate::optim::AdamOptions;

/// Options of [`CycleGan::lr_find_with`](crate::CycleGan::lr_find_with).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `start` | 1e-7 | first rate | > 0 |
/// | `end` | 1 | last rate | above `start` |
/// | `steps` | 100 | steps of training from one to the other | ≥ 2 |
/// | `adam` | as in a fit | options of the optimizer | |
/// | `stop_signal` | none | ends the sweep | |
/// | `progress` | on | shows steps and the time left | |
/// | `on_progress` | none | receives the share of the steps that are done | |
///
/// ```
/// let quick = geolearn::train::LrFindOptions::default().start(1e-5).end(1e-1).steps(40);
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct LrFindOptions {
    start: f64,
    end: f64,
    pub(super) steps: usize,
    pub(super) adam: AdamOptions,
    pub(super) control: Control,
}

impl Default for LrFindOptions {
    fn default() -> Self {
        let adam = AdamOptions::default();
        Self { start: 1e-7, end: 1.0, steps: 100, adam, control: Control::default() }
    }
}

impl LrFindOptions {
    /// Sets the first rate. Default: 1e-7.
    ///
    /// ```
    /// let options = geolearn::train::LrFindOptions::default().start(1e-6);
    /// ```
    pub fn start(mut self, lr: f64) -> Self {
        self.start = lr;
        self
    }

    /// Sets the last rate. Default: 1.
    ///
    /// ```
    /// let options = geolearn::train::LrFindOptions::default().end(0.1);
    /// ```
    pub fn end(mut self, lr: f64) -> Self {
        self.end = lr;
        self
    }

    /// Sets the number of steps. Default: 100.
    ///
    /// ```
    /// let options = geolearn::train::LrFindOptions::default().steps(200);
    /// ```
    pub fn steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the options of Adam. Default: as in a fit.
    ///
    /// ```
    /// use geolearn::optim::AdamOptions;
    /// use geolearn::train::LrFindOptions;
    ///
    /// let options = LrFindOptions::default().adam(AdamOptions::default().beta2(0.99));
    /// ```
    pub fn adam(mut self, adam: AdamOptions) -> Self {
        self.adam = adam;
        self
    }

    control_setters! {
        /// Ends the sweep after the current step once `signal` is set, with [`ErrorKind::Stopped`]. The model is then
        /// restored bit for bit.
        ///
        /// ```
        /// use geolearn::train::{LrFindOptions, StopSignal};
        ///
        /// let signal = StopSignal::new();
        /// let options = LrFindOptions::default().stop_signal(signal.clone());
        /// // In a handler: signal.stop()
        /// # assert!(!signal.is_set());
        /// ```
        stop_signal,
        /// Shows progress on standard error if that is a terminal, or not. Default: on.
        progress,
        /// Calls `tell` with the share of steps done, after each step. The last value is 1, even if the loss diverges
        /// before the last rate; a sweep that is stopped or fails does not get there.
        ///
        /// ```
        /// let options = geolearn::train::LrFindOptions::default().on_progress(|share| println!("{:.0} %", 100.0 * share));
        /// ```
        on_progress,
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.control.is_stopped()
    }

    pub(super) fn tell(&self, steps: usize) {
        self.control.tell(steps as u64, self.steps as u64);
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str| Error::new(ErrorKind::Usage, format!("{what} of lr_find is out of range"));
        if !(self.start > 0.0 && self.start.is_finite()) {
            return Err(wrong("start").expected("a positive number").found(self.start));
        }
        if !(self.end > self.start && self.end.is_finite()) {
            return Err(wrong("end").expected(format!("a number above {}", self.start)).found(self.end));
        }
        if !(self.end / self.start).is_finite() {
            return Err(wrong("end").expected("a rate within the range of a number from start").found(self.end));
        }
        if self.steps < 2 {
            return Err(wrong("steps").expected("2 or more").found(self.steps));
        }
        self.adam.check()
    }

    /// Rates grow by the same factor from step to step.
    pub(super) fn rate(&self, step: usize) -> f64 {
        self.start * (self.end / self.start).powf(step as f64 / (self.steps - 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_out_of_range_are_named() {
        let base = LrFindOptions::default;
        for (options, part) in [
            (base().start(0.0), "start"),
            (base().end(1e-9), "end"),
            (base().steps(1), "steps"),
            (base().end(f64::NAN), "end"),
            (base().start(f64::MIN_POSITIVE).end(f64::MAX), "end"),
            (base().start(f64::INFINITY), "start"),
        ] {
            assert!(options.check().unwrap_err().to_string().contains(part), "{part}");
        }
    }
}
