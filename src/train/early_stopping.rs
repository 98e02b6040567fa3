//! Early stopping: ends a fit that no longer improves.

use super::callback::{Callback, EpochReport, FitReport, Flow};
use super::history::History;
use super::monitor::Monitor;
use crate::error::{Error, ErrorKind, Result};

/// When to end a fit before its last epoch.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `patience` | 5 | epochs to wait without an improvement; validated epochs only, if a metric is monitored | ≥ 1 |
/// | `min_delta` | 0.001 | what counts as an improvement | ≥ 0 |
///
/// Losses of adversarial training go up and down: when a discriminator improves, the generator's loss gets worse.
/// `valid_cycle` says more than `valid_loss`; look at the pictures as well.
///
/// ```
/// use geolearn::FitOptions;
/// use geolearn::train::EarlyStopping;
///
/// let options = FitOptions::new(200).monitor("valid_cycle").early_stopping(EarlyStopping::default().patience(20));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[must_use]
pub struct EarlyStopping {
    patience: usize,
    min_delta: f64,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self { patience: 5, min_delta: 0.001 }
    }
}

impl EarlyStopping {
    /// Sets the number of epochs without an improvement after which the fit ends; if a metric is monitored, only
    /// validated epochs count. Default: 5.
    ///
    /// ```
    /// let rule = geolearn::train::EarlyStopping::default().patience(20);
    /// ```
    pub fn patience(mut self, epochs: usize) -> Self {
        self.patience = epochs;
        self
    }

    /// Sets the smallest change of the monitor that counts as an improvement. Default: 0.001.
    ///
    /// ```
    /// let rule = geolearn::train::EarlyStopping::default().min_delta(0.01);
    /// ```
    pub fn min_delta(mut self, delta: f64) -> Self {
        self.min_delta = delta;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |what: &str| Error::new(ErrorKind::Usage, format!("{what} of early stopping is out of range"));
        if self.patience == 0 {
            return Err(wrong("patience").expected("1 or more").found(0));
        }
        if !(self.min_delta >= 0.0 && self.min_delta.is_finite()) {
            return Err(wrong("min_delta").expected("zero or more").found(self.min_delta));
        }
        Ok(())
    }

    /// Returns whether the last value ends the fit; lower values are better.
    fn is_over(&self, values: &[f64]) -> bool {
        let (mut best, mut waited) = (f64::INFINITY, 0);
        for &value in values {
            if value < best - self.min_delta {
                (best, waited) = (value, 0);
            } else {
                waited += 1;
            }
        }
        waited >= self.patience
    }

    pub(super) fn watching(self, monitor: Monitor) -> Watch {
        Watch { rule: self, monitor, first_epoch: 0 }
    }
}

/// The callback. It only looks at the history of this fit, so a resumed fit ends at the same epoch as an uninterrupted
/// one.
#[derive(Debug)]
pub(super) struct Watch {
    rule: EarlyStopping,
    monitor: Monitor,
    /// Epochs recorded before this fit.
    first_epoch: usize,
}

impl Watch {
    fn flow(&self, history: &History) -> Flow {
        let (values, is_fresh) = self.monitor.values(history, self.first_epoch);
        // There is nothing new between validations.
        if is_fresh && self.rule.is_over(&values) { Flow::Stop } else { Flow::Continue }
    }
}

impl Callback for Watch {
    fn on_fit_start(&mut self, report: &FitReport<'_>) -> Result<Flow> {
        self.first_epoch = report.history.epochs().len().saturating_sub(report.epochs_done);
        Ok(self.flow(report.history))
    }

    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        Ok(self.flow(report.history))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_after_the_patience_without_an_improvement() {
        let rule = EarlyStopping::default().patience(2).min_delta(0.1);
        for (values, over) in [
            (&[][..], false),
            (&[1.0, 0.5, 0.2], false),
            (&[1.0, 0.95], false),
            (&[1.0, 0.95, 0.95], true),
            (&[1.0, 0.95, 0.85, 0.84], false),
            // Small steps count against the best value, not against the last one.
            (&[1.0, 0.95, 0.89], false),
            (&[1.0, 2.0, 3.0], true),
        ] {
            assert_eq!(rule.is_over(values), over, "{values:?}");
        }
    }
}
