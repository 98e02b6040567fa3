//! How the outside follows training and steers it.

use std::fmt;

use super::history::{EpochRecord, History};
use super::memory::MemoryEstimate;
use super::snapshot::Snapshot;
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::error::Result;

/// Whether training goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// End the fit here; it returns as if it had reached its last epoch.
    Stop,
}

/// A fit that is about to begin, or to go on from a checkpoint.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FitReport<'a> {
    /// Epochs to train.
    pub epochs: usize,
    /// Steps in each: batches of the larger domain.
    pub steps_per_epoch: usize,
    /// Epochs of this fit that are done already, when it goes on from a checkpoint; else 0.
    pub epochs_done: usize,
    /// Steps of this fit that are done already; else 0.
    pub steps_done: usize,
    /// Learning rate, which the schedule scales.
    pub lr: f64,
    /// The same, where a sweep [found](super::LearningRate::Find) it; `None` where it was given.
    pub lr_found: Option<f64>,
    /// What it is expected to hold in memory, where the model can tell.
    pub memory: Option<MemoryEstimate>,
    /// What was recorded before.
    pub history: &'a History,
    /// The model as it now is.
    pub model: &'a dyn Translator,
    /// The data it learns from.
    pub data: &'a DataBunch,
}

/// Losses of the last few steps.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StepReport<'a> {
    /// Number of the epoch within this fit, from 1.
    pub epoch: usize,
    /// Steps made in this fit.
    pub steps: usize,
    /// Steps made in the model's life.
    pub steps_in_life: u64,
    /// Whether the epoch ends with this step.
    pub last_of_epoch: bool,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Names of the losses.
    pub names: &'a [String],
    /// Mean of each since the last report.
    pub losses: &'a [f64],
    /// The fit as it now is.
    pub snapshot: Snapshot<'a>,
}

/// An epoch that has ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EpochReport<'a> {
    /// Number of the epoch within this fit, from 1.
    pub epoch: usize,
    /// What was recorded for it.
    pub record: &'a EpochRecord,
    /// Everything recorded so far, this epoch included.
    pub history: &'a History,
    /// The model as it now is.
    pub model: &'a dyn Translator,
    /// The data it learns from.
    pub data: &'a DataBunch,
    /// The fit as it now is.
    pub snapshot: Snapshot<'a>,
}

/// A fit that has ended.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct EndReport<'a> {
    /// Everything recorded, the part of an epoch within which the fit was stopped included.
    pub history: &'a History,
    /// The model as it now is.
    pub model: &'a dyn Translator,
    /// The data it learnt from.
    pub data: &'a DataBunch,
    /// The fit as it now is.
    pub snapshot: Snapshot<'a>,
}

/// Something that follows training. Every method does nothing by default.
///
/// Progress, checkpoints, early stopping, history files, sample pictures and TensorBoard are callbacks like any
/// other. They are called in this order: the guard against losses that are not finite, progress, checkpoints, early
/// stopping, then those that were added, as they were added.
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
/// Callbacks are [`Send`], so that options can be made on one thread and a fit run on another; what a callback shares with
/// its maker is an [`Arc`](std::sync::Arc) or a channel.
///
/// What a callback has learnt itself is not part of a checkpoint; one that looks at the history, as the example does,
/// goes on by itself when a fit is resumed. An epoch that was written to a checkpoint and not reported to all callbacks,
/// because the process was killed or one of them failed, is reported to the added callbacks when the fit is resumed: each
/// epoch is reported at least once.
pub trait Callback: Send {
    /// Before the first step. To stop here is to train nothing.
    ///
    /// # Errors
    /// An error ends the fit and is what it returns; [`Error::callback`](crate::Error::callback) makes one.
    fn on_fit_start(&mut self, _report: &FitReport<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// After an update of the weights whose losses were read: each on the processor, one in 20 steps on CUDA.
    ///
    /// # Errors
    /// As [`on_fit_start`](Self::on_fit_start); the model stays as it is. It is put back to the end of the epoch
    /// before when the error is of kind [`Diverged`](crate::ErrorKind::Diverged).
    fn on_step(&mut self, _report: &StepReport<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// Asked after every update of the weights, also where losses are not read; true ends the fit there. For requests
    /// from outside that must not wait, such as [`StopSignal`](crate::train::StopSignal).
    fn wants_to_stop(&self) -> bool {
        false
    }

    /// After the last step of an epoch and its validation.
    ///
    /// # Errors
    /// As [`on_fit_start`](Self::on_fit_start); the model stays as it is. It is put back to the end of the epoch
    /// before when the error is of kind [`Diverged`](crate::ErrorKind::Diverged).
    fn on_epoch_end(&mut self, _report: &EpochReport<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// When the fit has ended by itself or was stopped; not after an error.
    ///
    /// # Errors
    /// As [`on_fit_start`](Self::on_fit_start); the model stays as it is.
    fn on_fit_end(&mut self, _report: &EndReport<'_>) -> Result<()> {
        Ok(())
    }
}

/// Stands for a callback in the `Debug` of [`FitOptions`](crate::FitOptions): nothing is known of it but that it is there.
impl fmt::Debug for dyn Callback + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}
