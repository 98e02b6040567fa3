//! The options of a fit.

use super::callback::Callback;
use super::progress::Progress;
use crate::error::{Error, ErrorKind, Result};
use crate::optim::{AdamOptions, Schedule};

/// How to train.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `epochs` | – | passes over the larger domain | ≥ 1 |
/// | `decay_epochs` | none | epochs added after these, in which the rate falls to zero | ≥ 0 |
/// | `lr` | 2e-4 | learning rate | > 0 |
/// | `schedule` | constant for the first half, then linear to zero | the rate's course | |
/// | `adam` | betas (0.5, 0.999), no weight decay | numbers of the optimiser | |
/// | `progress` | on | losses and time left on the terminal, plain lines where there is none | |
/// | `callback` | none | something of yours that follows training | |
///
/// The defaults are the published recipe (Zhu et al. 2017, section 4): 100 epochs at 2e-4 and 100 in which it
/// falls to zero are `FitOptions::new(100).decay_epochs(100)`, and `FitOptions::new(200)` means the same.
///
/// ```
/// let options = geolearn::FitOptions::new(100).decay_epochs(100).lr(2e-4).progress(false);
/// assert_eq!(options.total_epochs(), 200);
/// ```
pub struct FitOptions {
    epochs: usize,
    decay_epochs: Option<usize>,
    schedule: Option<Schedule>,
    progress: bool,
    pub(super) lr: f64,
    pub(super) adam: AdamOptions,
    pub(super) callbacks: Vec<Box<dyn Callback>>,
}

impl FitOptions {
    /// Trains for `epochs` epochs by the published recipe.
    pub fn new(epochs: usize) -> Self {
        Self {
            epochs,
            decay_epochs: None,
            schedule: None,
            progress: true,
            lr: 2e-4,
            adam: AdamOptions::default(),
            callbacks: Vec::new(),
        }
    }

    /// Adds epochs in which the rate falls to zero; it then stays constant in all those before. Default: none
    /// are added, and the second half of the epochs is used for it.
    pub fn decay_epochs(mut self, epochs: usize) -> Self {
        self.decay_epochs = Some(epochs);
        self
    }

    /// Sets the learning rate. Default: 2e-4.
    pub fn lr(mut self, lr: f64) -> Self {
        self.lr = lr;
        self
    }

    /// Sets the course of the rate over all epochs. Default: constant, then linear to zero.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// Sets the numbers of Adam. Default: betas (0.5, 0.999), no weight decay.
    pub fn adam(mut self, adam: AdamOptions) -> Self {
        self.adam = adam;
        self
    }

    /// Shows progress on the terminal, or not. Default: it does.
    pub fn progress(mut self, on: bool) -> Self {
        self.progress = on;
        self
    }

    /// Adds a callback; they are called in the order in which they were added.
    pub fn callback(mut self, callback: impl Callback + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// All epochs, those of the decay included.
    pub fn total_epochs(&self) -> usize {
        self.epochs.saturating_add(self.decay_epochs.unwrap_or(0))
    }

    pub(super) fn course(&self) -> Schedule {
        let share = |epochs| epochs as f64 / self.total_epochs().max(1) as f64;
        let constant = if self.decay_epochs.is_some() { share(self.epochs) } else { 0.5 };
        self.schedule.unwrap_or(Schedule::ConstantThenLinear { constant })
    }

    /// Takes the callbacks, progress among them where it is wanted.
    pub(super) fn take_callbacks(&mut self) -> Vec<Box<dyn Callback>> {
        let mut list = std::mem::take(&mut self.callbacks);
        if self.progress {
            list.insert(0, Box::new(Progress::new()));
        }
        list
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str| Error::new(ErrorKind::Usage, what);
        if self.total_epochs() == 0 {
            return Err(wrong("number of epochs is out of range").expected("1 or more").found(0));
        }
        if !(self.lr > 0.0 && self.lr.is_finite()) {
            return Err(wrong("learning rate is out of range").expected("a positive number").found(self.lr));
        }
        if let Some(Schedule::ConstantThenLinear { constant }) = self.schedule
            && !(0.0..=1.0).contains(&constant)
        {
            return Err(wrong("constant share of the schedule is out of range").expected("[0, 1]").found(constant));
        }
        self.adam.check()
    }
}

impl From<usize> for FitOptions {
    fn from(epochs: usize) -> Self {
        Self::new(epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_is_the_same_in_both_notations() {
        let halves = FitOptions::new(200).course();
        assert_eq!(halves, FitOptions::new(100).decay_epochs(100).course());
        assert_eq!(halves, Schedule::ConstantThenLinear { constant: 0.5 });
        let tail = FitOptions::new(30).decay_epochs(10).course();
        assert_eq!(tail, Schedule::ConstantThenLinear { constant: 0.75 });
    }

    #[test]
    fn options_out_of_range_are_named() {
        for (options, part) in [
            (FitOptions::new(0), "epochs"),
            (FitOptions::new(1).lr(-1.0), "learning rate"),
            (FitOptions::new(1).lr(f64::NAN), "learning rate"),
            (FitOptions::new(1).schedule(Schedule::ConstantThenLinear { constant: 2.0 }), "share"),
            (FitOptions::new(1).adam(AdamOptions { eps: 0.0, ..Default::default() }), "eps"),
        ] {
            let error = options.check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
