//! The callback that writes checkpoints during a fit.

use std::sync::Arc;

use super::choice::Checkpoint;
use super::folder::Folder;
use crate::error::Result;
use crate::train::callback::{Callback, EndReport, EpochReport, FitReport, Flow, StepReport};
use crate::train::monitor::Monitor;
use crate::train::snapshot::Snapshot;

/// Writes the state after each epoch, when the fit is stopped within an epoch, and optionally after a fixed number of
/// steps.
#[derive(Debug)]
pub(in crate::train) struct Checkpoints {
    folder: Arc<Folder>,
    which: Checkpoint,
    monitor: Monitor,
    every: Option<usize>,
    /// Epochs recorded before this fit.
    first_epoch: usize,
    /// Epochs and batches of the newest file.
    kept: Option<(usize, usize)>,
    /// Steps of this fit when the newest file was written.
    steps: usize,
}

impl Checkpoints {
    pub fn new(folder: Arc<Folder>, which: Checkpoint, monitor: Monitor, every: Option<usize>) -> Self {
        Self { folder, which, monitor, every, first_epoch: 0, kept: None, steps: 0 }
    }

    fn keep(&mut self, snapshot: &Snapshot<'_>, best: bool, numbered: bool) -> Result<()> {
        self.folder.keep(snapshot, best, numbered)?;
        self.kept = Some((snapshot.epochs(), snapshot.batches()));
        Ok(())
    }
}

impl Callback for Checkpoints {
    fn on_fit_start(&mut self, report: &FitReport<'_>) -> Result<Flow> {
        self.first_epoch = report.history.epochs().len().saturating_sub(report.epochs_done);
        self.steps = report.steps_done;
        Ok(Flow::Continue)
    }

    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        let due = self.every.is_some_and(|every| report.steps >= self.steps.saturating_add(every));
        // The end of an epoch has its own checkpoint.
        if due && !report.last_of_epoch {
            self.steps = report.steps;
            self.keep(&report.snapshot, false, false)?;
        }
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        let (values, is_fresh) = self.monitor.values(report.history, self.first_epoch);
        let best = self.which.watches() && is_fresh && last_is_best(&values);
        self.keep(&report.snapshot, best, self.which == Checkpoint::All)?;
        Ok(Flow::Continue)
    }

    fn on_fit_end(&mut self, report: &EndReport<'_>) -> Result<()> {
        let now = (report.snapshot.epochs(), report.snapshot.batches());
        if report.snapshot.has_begun() && self.kept != Some(now) {
            self.keep(&report.snapshot, false, false)?;
        }
        Ok(())
    }
}

/// Records, as the last callback, that an epoch was reported to all the others. If a fit is killed between the
/// checkpoint of an epoch and this record, the resumed fit reports the epoch again.
#[derive(Debug)]
pub(in crate::train) struct NoteReported(pub Arc<Folder>);

impl Callback for NoteReported {
    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        self.0.note_reported(report.snapshot.epochs());
        Ok(Flow::Continue)
    }
}

/// Returns whether the last value is the lowest and the first one this low; lower values are better.
fn last_is_best(values: &[f64]) -> bool {
    let Some((last, before)) = values.split_last() else {
        return false;
    };
    before.iter().all(|value| last < value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_first_of_the_lowest() {
        assert!(last_is_best(&[3.0]));
        assert!(last_is_best(&[3.0, 2.0]));
        assert!(!last_is_best(&[2.0, 2.0]));
        assert!(!last_is_best(&[2.0, 3.0]));
        assert!(!last_is_best(&[]));
    }
}
