//! The callback that detects values that are not finite.

use super::callback::{Callback, EndReport, EpochReport, Flow, StepReport};
use super::translator::Translator;
use crate::error::{Error, ErrorKind, Result};

/// Ends a fit with [`ErrorKind::Diverged`] at the first loss that is not finite, and after an epoch at the first such
/// weight or moment. Every fit has one, before all other callbacks, so that none of them saves a broken epoch.
#[derive(Debug, Default)]
pub(super) struct NanGuard;

impl Callback for NanGuard {
    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        let Some((i, loss)) = report.losses.iter().enumerate().find(|(_, loss)| !loss.is_finite()) else {
            return Ok(Flow::Continue);
        };
        let name = report.names.get(i).map_or("?", String::as_str);
        let place = format!("step {}", report.snapshot.batches());
        Err(diverged(report.epoch, &place).expected(format!("a finite {name} loss")).found(loss))
    }

    /// The last step may have produced weights that no loss has shown yet.
    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        check_state(report.model, report.epoch)?;
        Ok(Flow::Continue)
    }

    fn on_fit_end(&mut self, report: &EndReport<'_>) -> Result<()> {
        check_state(report.model, report.snapshot.epochs_of_fit() + 1)
    }
}

fn check_state(model: &dyn Translator, epoch: usize) -> Result<()> {
    match model.state().not_finite()? {
        Some(name) => Err(diverged(epoch, "at its end").expected(format!("finite values in {name}"))),
        None => Ok(()),
    }
}

/// Checks that the model's own metrics are finite.
pub(super) fn check_metrics(names: &[&str], means: &[f64], epoch: usize) -> Result<()> {
    match names.iter().zip(means).find(|(_, mean)| !mean.is_finite()) {
        Some((name, mean)) => {
            Err(diverged(epoch, "at its validation").expected(format!("a finite {name}")).found(mean))
        }
        None => Ok(()),
    }
}

fn diverged(epoch: usize, place: &str) -> Error {
    let back = if epoch == 1 { "the start of this fit".into() } else { format!("the end of epoch {}", epoch - 1) };
    Error::new(ErrorKind::Diverged, format!("training diverged in epoch {epoch}, {place}")).help(format!(
        "The model was restored to {back}. Lower the learning rate, or look for chips with extreme values."
    ))
}
