//! How the outside follows training and steers it.

use super::history::{EpochRecord, History};
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

/// A fit that is about to begin.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct FitReport {
    /// Epochs to train.
    pub epochs: usize,
    /// Steps in each.
    pub steps_per_epoch: usize,
}

/// Losses of the last few steps.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StepReport<'a> {
    /// Number of the epoch within this fit, from 1.
    pub epoch: usize,
    /// Steps made in this fit.
    pub steps: usize,
    /// Learning rate of the last step.
    pub lr: f64,
    /// Names of the losses.
    pub names: &'a [String],
    /// Mean of each since the last report.
    pub losses: &'a [f64],
}

/// An epoch that has ended.
#[derive(Clone, Copy)]
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
}

/// Something that follows training. Every method does nothing by default.
///
/// ```
/// use geolearn::{Callback, EpochReport, Flow, Result};
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
pub trait Callback {
    /// Before the first step.
    ///
    /// # Errors
    /// An error ends the fit and is what it returns; [`Error::callback`](crate::Error::callback) makes one.
    fn on_fit_start(&mut self, _report: &FitReport) -> Result<()> {
        Ok(())
    }

    /// After a step whose losses were read: every step on the processor, every 20th on CUDA.
    ///
    /// # Errors
    /// As [`on_fit_start`](Self::on_fit_start).
    fn on_step(&mut self, _report: &StepReport<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// After the last step of an epoch.
    ///
    /// # Errors
    /// As [`on_fit_start`](Self::on_fit_start).
    fn on_epoch_end(&mut self, _report: &EpochReport<'_>) -> Result<Flow> {
        Ok(Flow::Continue)
    }

    /// When the fit has ended by itself or was stopped; not after an error.
    ///
    /// # Errors
    /// As [`on_fit_start`](Self::on_fit_start).
    fn on_fit_end(&mut self, _history: &History) -> Result<()> {
        Ok(())
    }
}
