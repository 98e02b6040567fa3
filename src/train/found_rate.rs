//! The learning rate of a fit that is to find it.

use super::callback::Callback;
use super::checkpoint::Contents;
use super::lr_find_options::LrFindOptions;
use super::lr_finder::{SweepContext, find_with_peers};
use super::plan::Plan;
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::error::{Error, ErrorKind, Result};
use crate::peers::Peers;

/// How a fit looks for its rate.
pub(super) struct RateSearch<'a> {
    pub peers: &'a dyn Peers,
    /// The fit, of which all but the rate is known.
    pub plan: &'a Plan,
    pub deterministic: bool,
    pub progress: bool,
    pub steps_in_life: u64,
    /// Those that may want to stop.
    pub callbacks: &'a [Box<dyn Callback>],
}

impl RateSearch<'_> {
    /// Sweeps and returns the rate that the curve suggests, the same in all processes; the model is as it was before.
    ///
    /// # Errors
    /// `Usage` where it suggests none, `Stopped` where a callback wants to stop; what a step reports.
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
            Error::new(ErrorKind::Usage, "the sweep over learning rates suggests none")
                .expected("a loss that falls by 5 % from where it begins")
                .found(format!("{} rates up to {:.1e}", curve.rates().len(), curve.rates().last().unwrap_or(&0.0)))
                .help(
                    "Look at the curve with lr_find, sweep in more steps or over larger batches with lr_find_with, or give \
                     the rate: lr(2e-4) is that of the paper.",
                )
        })?;
        // Powers may be rounded otherwise on another machine.
        let said = peers.broadcast(lr.to_le_bytes().to_vec())?;
        let lr = said.as_slice().try_into().map_or(lr, f64::from_le_bytes);
        tracing::info!(lr, steps = curve.rates().len(), "learning rate found");
        Ok(lr)
    }
}

/// Returns the plan with the rate of the checkpoint, where its fit found one.
///
/// # Errors
/// `Usage` where a rate is to be found and the checkpoint's was given, `Format` where it is no rate.
pub(super) fn with_rate_of_checkpoint(plan: Plan, contents: &Contents) -> Result<Plan> {
    let Plan { lr, is_lr_found, .. } = *contents.plan();
    match (plan.is_lr_found, is_lr_found) {
        // Who names the rate that was found goes on with the same fit.
        (false, true) => Ok(Plan { is_lr_found, ..plan }),
        (true, true) if lr > 0.0 && lr.is_finite() => Ok(Plan { lr, ..plan }),
        (true, true) => Err(Error::new(ErrorKind::Format, "the checkpoint holds a learning rate that no fit has")
            .expected("a positive number")
            .found(lr)),
        (true, false) => Err(Error::new(ErrorKind::Usage, "the checkpoint is of a fit whose learning rate was given")
            .expected(format!("lr({lr})"))
            .found("LearningRate::Find")
            .help("Give that rate, another folder, or resume(false) to begin anew.")),
        (false, false) => Ok(plan),
    }
}
