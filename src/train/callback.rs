//! Callbacks, which follow training and can end it.

use std::fmt;

use super::history::{EpochRecord, History};
use super::memory::MemoryEstimate;
use super::snapshot::Snapshot;
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::error::Result;

/// Whether training continues.
///
/// ```
/// use geolearn::Result;
/// use geolearn::train::{Callback, EpochReport, Flow};
///
/// /// Ends a fit after an hour.
/// struct OneHour(std::time::Instant);
///
/// impl Callback for OneHour {
///     fn on_epoch_end(&mut self, _: &EpochReport<'_>) -> Result<Flow> {
///         let is_over = self.0.elapsed().as_secs() > 3600;
///         Ok(if is_over { Flow::Stop } else { Flow::Continue })
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Continue.
    Continue,
    /// End the fit here; it returns as if it had reached its last epoch.
    Stop,
}

/// A fit that is about to start or to resume from a checkpoint.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FitReport<'a> {
    /// Epochs to train.
    pub epochs: usize,
    /// Steps of an epoch: batches of the larger domain.
    pub steps_per_epoch: usize,
    /// Epochs of this fit that were done before it was resumed; 0 for a new fit.
    pub epochs_done: usize,
    /// Steps of this fit that were done before it was resumed; 0 for a new fit.
    pub steps_done: usize,
    /// Learning rate, before the schedule scales it.
    pub lr: f64,
    /// The learning rate if a sweep [found](super::LearningRate::Find) it; `None` if it was given.
    pub lr_found: Option<f64>,
    /// Expected memory of the fit, if the model can estimate it.
    pub memory: Option<MemoryEstimate>,
    /// Everything that was recorded before.
    pub history: &'a History,
    /// The model as it is now.
    pub model: &'a dyn Translator,
    /// The training data.
    pub data: &'a DataBunch,
}

/// Losses of the last few steps.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StepReport<'a> {
    /// Number of the epoch within this fit, from 1.
    pub epoch: usize,
    /// Steps of this fit so far.
    pub steps: usize,
    /// Steps of the model's life so far.
    pub steps_in_life: u64,
    /// Whether this step ends the epoch.
    pub last_of_epoch: bool,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Names of the losses.
    pub names: &'a [String],
    /// Mean of each loss since the last report.
    pub losses: &'a [f64],
    /// The state of the fit.
    pub snapshot: Snapshot<'a>,
}

/// An epoch that has ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EpochReport<'a> {
    /// Number of the epoch within this fit, from 1.
    pub epoch: usize,
    /// The record of the epoch.
    pub record: &'a EpochRecord,
    /// Everything recorded so far, including this epoch.
    pub history: &'a History,
    /// The model as it is now.
    pub model: &'a dyn Translator,
    /// The training data.
    pub data: &'a DataBunch,
    /// The state of the fit.
    pub snapshot: Snapshot<'a>,
}

/// A fit that has ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EndReport<'a> {
    /// Everything recorded, including an epoch that was stopped before its end.
    pub history: &'a History,
    /// The model as it is now.
    pub model: &'a dyn Translator,
    /// The training data.
    pub data: &'a DataBunch,
    /// The state of the fit.
    pub snapshot: Snapshot<'a>,
}

/// An observer of training. Every method does nothing by default.
///
/// Progress, checkpoints, early stopping, history files, sample pictures and TensorBoard are callbacks like any other.
/// They are called in this order: the check for values that are not finite, progress, checkpoints, early stopping, then
/// added callbacks in the order of addition.
///
/// ```
/// use geolearn::Result;
/// use geolearn::train::{Callback, EpochReport, Flow};
///
/// /// Ends training when the cycle loss is small enough.
/// struct GoodEnough(f64);
///
/// impl Callback for GoodEnough {
///     fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
///         let cycle = report.history.last("cycle").unwrap_or(f64::INFINITY);
///         Ok(if cycle < self.0 { Flow::Stop } else { Flow::Continue })
///     }
/// }
/// ```
///
/// Callbacks are [`Send`], so that options can be created on one thread and a fit can run on another. To share data
/// with the code that created it, a callback uses an [`Arc`](std::sync::Arc) or a channel.
///
/// A callback's own state is not part of a checkpoint; one that looks at the history, like the example, continues
/// correctly when a fit is resumed. If an epoch was written to a checkpoint but not reported to all callbacks, because
/// the process was killed or one of them failed, the resumed fit reports it to the added callbacks first: each epoch is
/// reported at least once.
pub trait Callback: Send {
    /// Called before the first step. If it stops the fit, nothing is trained.
    ///
    /// # Errors
    /// An error ends the fit, which returns it; [`Error::callback`](crate::Error::callback) creates one.
    fn on_fit_start(&mut self, _report: &FitReport<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Called after an update of the weights whose losses were read: every update on the CPU, one in 20 on CUDA.
    ///
    /// # Errors
    /// Like [`on_fit_start`](Self::on_fit_start); the model stays as it is, except that it is restored to the end of
    /// the previous epoch if the error's kind is [`Diverged`](crate::ErrorKind::Diverged).
    fn on_step(&mut self, _report: &StepReport<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Called after every update of the weights, even if losses are not read; true ends the fit there. For requests
    /// from outside that must not wait, such as [`StopSignal`](crate::train::StopSignal).
    fn wants_to_stop(&self) -> bool {
        false
    }

    /// Called after the last step of an epoch and its validation.
    ///
    /// # Errors
    /// Like [`on_fit_start`](Self::on_fit_start); the model stays as it is, except that it is restored to the end of
    /// the previous epoch if the error's kind is [`Diverged`](crate::ErrorKind::Diverged).
    fn on_epoch_end(&mut self, _report: &EpochReport<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Called when the fit has finished or was stopped, but not after an error.
    ///
    /// # Errors
    /// Like [`on_fit_start`](Self::on_fit_start); the model stays as it is.
    fn on_fit_end(&mut self, _report: &EndReport<'_>) -> Result<()> {
        Ok(())
    }
}

/// Represents a callback in the `Debug` output of [`FitOptions`](crate::FitOptions): nothing is known about it.
impl fmt::Debug for dyn Callback + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}
