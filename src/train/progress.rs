//! The callback that shows losses and remaining time on the terminal.

use std::io::Write;
use std::time::{Duration, Instant};

use super::callback::{Callback, EndReport, EpochReport, FitReport, Flow, StepReport};
use crate::error::Result;
use crate::progress::Bar;

/// Shows a bar with the losses and the time left on a terminal, and a line for each epoch elsewhere; both on
/// standard error. Without the feature `progress`, there are only lines. Every fit has one unless [`FitOptions::progress`](super::FitOptions::progress) is off.
///
/// ```
/// use geolearn::FitOptions;
/// use geolearn::train::Progress;
///
/// // The same as the default.
/// let options = FitOptions::new(20).progress(false).callback(Progress::new());
/// ```
#[derive(Debug)]
pub struct Progress {
    bar: Bar,
    epochs: usize,
    /// Epochs that were done when this process started.
    epochs_before: usize,
    started: Instant,
}

impl Progress {
    /// Creates a bar that appears when the fit starts.
    pub fn new() -> Self {
        Self { bar: Bar::hidden(), epochs: 0, epochs_before: 0, started: Instant::now() }
    }

    /// Prints a line that stays, above the bar if there is one.
    fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            // The terminal may be gone; training continues.
            let _ = writeln!(std::io::stderr(), "{text}");
        } else {
            self.bar.print_line(text);
        }
    }

    fn left(&self, epochs_done: usize) -> Duration {
        let todo = self.epochs.saturating_sub(epochs_done) as f64;
        // More epochs than a duration can hold are unrealistic, but must not cause a panic.
        let done = epochs_done.saturating_sub(self.epochs_before).max(1) as f64;
        let seconds = self.started.elapsed().as_secs_f64() * todo / done;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Callback for Progress {
    fn on_fit_start(&mut self, report: &FitReport<'_>) -> Result<Flow> {
        let steps = report.epochs.saturating_mul(report.steps_per_epoch);
        self.bar = Bar::on_stderr("{msg}\n{wide_bar} {pos}/{len} steps, {per_sec}, {eta} left", steps as u64);
        self.bar.begin_at(report.steps_done as u64);
        self.epochs = report.epochs;
        self.epochs_before = report.epochs_done;
        self.started = Instant::now();
        if let Some(memory) = report.memory {
            self.line(&format!("memory: about {memory}"));
        }
        if let Some(lr) = report.lr_found {
            self.line(&format!("learning rate: {lr:.2e}, found by a sweep"));
        }
        if report.steps_done > 0 {
            self.line(&format!(
                "resuming from a checkpoint: {} of {} epochs and {} steps are done",
                report.epochs_done,
                report.epochs,
                report.steps_done - report.epochs_done * report.steps_per_epoch
            ));
        }
        Ok(Flow::Continue)
    }

    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        self.bar.set_position(report.steps as u64);
        if !self.bar.is_hidden() {
            let losses = loss_list(report.names, report.losses);
            self.bar.set_message(format!("epoch {}/{}  {losses}", report.epoch, self.epochs));
        }
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        let mut losses = loss_list(report.history.names(), &report.record.losses);
        let metrics = report.history.metric_names().iter().zip(&report.record.metrics);
        if let Some((name, metric)) = metrics.filter_map(|(name, metric)| Some((name, (*metric)?))).next() {
            losses += &format!("  {name} {metric:.3}");
        }
        let seconds = report.record.seconds;
        let left = spoken(self.left(report.epoch));
        self.line(&format!("epoch {}/{}  {losses}  {seconds:.1} s, {left} left", report.epoch, self.epochs));
        Ok(Flow::Continue)
    }

    fn on_fit_end(&mut self, _: &EndReport<'_>) -> Result<()> {
        self.bar.clear();
        Ok(())
    }
}

fn loss_list(names: &[String], losses: &[f64]) -> String {
    names.iter().zip(losses).map(|(name, loss)| format!("{name} {loss:.3}")).collect::<Vec<_>>().join("  ")
}

/// Formats a duration like "2 h 5 min", "3 min 20 s" or "12 s".
pub(crate) fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_epochs_has_a_time_left() {
        let started = Instant::now() - Duration::from_secs(60);
        let progress = |epochs| Progress { bar: Bar::hidden(), epochs, epochs_before: 0, started };
        assert_eq!(progress(usize::MAX).left(1), Duration::MAX);
        assert_eq!(progress(3).left(1).as_secs(), 120);
    }

    #[test]
    fn durations_are_formatted() {
        for (seconds, text) in [(12, "12 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")] {
            assert_eq!(spoken(Duration::from_secs(seconds)), text);
        }
    }
}
