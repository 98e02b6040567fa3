//! Finding the learning rate of a fit by a sweep.

use super::callback::Callback;
use super::checkpoint::Contents;
use super::lr_find_options::LrFindOptions;
use super::lr_finder::{SweepContext, find_with_peers};
use super::plan::Plan;
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::error::{Error, ErrorKind, Result};
use crate::peers::Peers;

/// A sweep for the learning rate of a fit.
pub(super) struct RateSearch<'a> {
    pub peers: &'a dyn Peers,
    /// The fit, except for its rate.
    pub plan: &'a Plan,
    pub deterministic: bool,
    pub progress: bool,
    pub steps_in_life: u64,
    /// Callbacks that may ask to stop.
    pub callbacks: &'a [Box<dyn Callback>],
}

impl RateSearch<'_> {
    /// Runs the sweep and returns the suggested rate, the same in all processes; the model is restored.
    ///
    /// # Errors
    /// `Usage` if the sweep suggests no rate, `Stopped` if a callback wants to stop; whatever a step reports.
    pub fn run(&self, model: &mut dyn Translator, data: &DataBunch) -> Result<f64> {
        let Self { peers, plan, deterministic, steps_in_life, .. } = *self;
        let options = LrFindOptions::default().adam(plan.adam).progress(self.progress && peers.part().leads());
        let is_asked = || self.callbacks.iter().any(|callback| callback.wants_to_stop());
        let setting = SweepContext {
            peers,
            precision: plan.precision,
            deterministic,
            disc_lr_ratio: plan.disc_lr_ratio,
            is_asked_to_stop: &is_asked,
        };
        let curve = find_with_peers(model, data, steps_in_life, &options, setting)?;
        let lr = curve.suggestion().ok_or_else(|| {
            Error::new(ErrorKind::Usage, "the sweep over learning rates suggests no rate")
                .expected("a loss that falls by 5 % from its initial value")
                .found(format!("{} rates up to {:.1e}", curve.rates().len(), curve.rates().last().unwrap_or(&0.0)))
                .help(
                    "Look at the curve with lr_find, use more steps or larger batches with lr_find_with, or give \
                     the rate: lr(2e-4) is that of the paper.",
                )
        })?;
        // Another machine may round powers differently.
        let said = peers.broadcast(lr.to_le_bytes().to_vec())?;
        let lr = said.as_slice().try_into().map_or(lr, f64::from_le_bytes);
        tracing::info!(lr, steps = curve.rates().len(), "learning rate found");
        Ok(lr)
    }
}

/// Returns the plan with the rate of the checkpoint, if a sweep found that.
///
/// # Errors
/// `Usage` if a rate is to be found but the checkpoint's was given, `Format` if it is not a valid rate.
pub(super) fn with_rate_of_checkpoint(plan: Plan, contents: &Contents) -> Result<Plan> {
    let Plan { lr, is_lr_found, .. } = *contents.plan();
    match (plan.is_lr_found, is_lr_found) {
        // Giving the rate that was found continues the same fit.
        (false, true) => Ok(Plan { is_lr_found, ..plan }),
        (true, true) if lr > 0.0 && lr.is_finite() => Ok(Plan { lr, ..plan }),
        (true, true) => Err(Error::new(ErrorKind::Format, "the checkpoint holds an invalid learning rate")
            .expected("a positive number")
            .found(lr)),
        (true, false) => {
            Err(Error::new(ErrorKind::Usage, "the checkpoint belongs to a fit whose learning rate was given")
                .expected(format!("lr({lr})"))
                .found("LearningRate::Find")
                .help("Use that rate, another folder, or resume(false) to start over."))
        }
        (false, false) => Ok(plan),
    }
}
