//! The history of training: losses and metrics of each epoch.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::device::Precision;

/// No training produces larger values; a file with one is damaged.
const MOST: f64 = 1e30;

/// The record of one epoch.
///
/// ```
/// use geolearn::train::EpochRecord;
///
/// let record = EpochRecord::new(1, 2e-4, vec![3.5, 0.9], 139, 16.2);
/// assert!(record.metrics.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EpochRecord {
    /// Number of the epoch in the model's life, from 1.
    pub epoch: usize,
    /// Learning rate at the epoch's last step.
    pub lr: f64,
    /// Mean of each loss over the epoch's steps, in the order of [`History::names`]; empty if the model recorded other
    /// losses at the time, which are then among the metrics.
    pub losses: Vec<f64>,
    /// Metrics on the validation chips, in the order of [`History::metric_names`]; a metric that was not measured is
    /// `None` or missing at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Option<f64>>,
    /// Number of steps.
    pub steps: u64,
    /// Wall-clock seconds of the steps, without validation.
    pub seconds: f64,
    /// Precision of the networks; `None` in records of the first release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// The rate that a sweep found for this epoch's fit, before the schedule scales it; `None` if the rate was given.
    /// See
    /// [`LearningRate::Find`](super::LearningRate::Find).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lr_found: Option<f64>,
}

impl EpochRecord {
    /// Creates the record of an epoch of `steps` steps in `seconds`, without metrics and precision.
    ///
    /// ```
    /// let mut record = geolearn::train::EpochRecord::new(1, 2e-4, vec![0.7, 0.3], 200, 12.5);
    /// record.metrics = vec![Some(0.2)];
    /// assert_eq!((record.epoch, record.losses.len()), (1, 2));
    /// ```
    pub fn new(epoch: usize, lr: f64, losses: Vec<f64>, steps: u64, seconds: f64) -> Self {
        Self { epoch, lr, losses, metrics: Vec::new(), steps, seconds, precision: None, lr_found: None }
    }
}

/// The losses and metrics of every epoch of a model's training, over all its fits.
///
/// ```
/// let history = geolearn::train::History::default();
/// assert!(history.epochs().is_empty());
/// assert_eq!(history.last("cycle"), None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    names: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metric_names: Vec<String>,
    epochs: Vec<EpochRecord>,
}

impl History {
    /// Returns the names of the losses.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let history = model.history();
    /// assert!(history.names().contains(&"cycle".to_string()));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the names of the metrics on validation chips.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let history = model.history();
    /// println!("{}", history.metric_names().join(", "));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn metric_names(&self) -> &[String] {
        &self.metric_names
    }

    /// Returns one record for each epoch, oldest first.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let history = model.history();
    /// for epoch in history.epochs() {
    ///     println!("epoch {}: {} steps in {:.0} s", epoch.epoch, epoch.steps, epoch.seconds);
    /// }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn epochs(&self) -> &[EpochRecord] {
        &self.epochs
    }

    /// Returns a loss or metric for the epochs in which it was recorded: all of them for a loss, validated ones for a
    /// metric. `None` for an unknown name.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let history = model.history();
    /// let cycle = history.losses("cycle").unwrap();
    /// assert_eq!(cycle.len(), history.epochs().len());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn losses(&self, name: &str) -> Option<Vec<f64>> {
        Some(self.curve(name)?.into_iter().map(|(_, value)| value).collect())
    }

    /// Returns a loss or metric with the number of each epoch, from 1. `None` for an unknown name.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let history = model.history();
    /// assert_eq!(history.curve("cycle").unwrap()[0].0, 1);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn curve(&self, name: &str) -> Option<Vec<(usize, f64)>> {
        let (loss, metric) = (place(&self.names, name), place(&self.metric_names, name));
        loss.or(metric)?;
        let value = |epoch: &EpochRecord| {
            let loss = loss.and_then(|i| epoch.losses.get(i).copied());
            loss.or_else(|| epoch.metrics.get(metric?).copied().flatten())
        };
        Some(self.epochs.iter().enumerate().filter_map(|(n, epoch)| Some((n + 1, value(epoch)?))).collect())
    }

    /// Returns a loss of the last epoch, or a metric of the last validated epoch.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let history = model.history();
    /// println!("{:?}", history.last("cycle"));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn last(&self, name: &str) -> Option<f64> {
        self.losses(name)?.last().copied()
    }

    /// Returns the number of steps over all epochs.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let history = model.history();
    /// println!("{} steps", history.steps());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn steps(&self) -> u64 {
        self.epochs.iter().fold(0, |sum, e| sum.saturating_add(e.steps))
    }

    /// Checks that the records of an untrusted file match the names and hold plausible numbers. Other releases may have
    /// recorded other losses and metrics.
    pub(crate) fn is_sound(&self) -> bool {
        let is_number = |value: &f64| value.abs() < MOST;
        let sound = |e: &EpochRecord| {
            (e.losses.is_empty() || e.losses.len() == self.names.len())
                && e.metrics.len() <= self.metric_names.len()
                && e.losses
                    .iter()
                    .chain(e.metrics.iter().flatten())
                    .chain([&e.lr, &e.seconds])
                    .chain(&e.lr_found)
                    .all(is_number)
                && e.epoch < 1 << 48
        };
        let differ = |names: &[String]| names.iter().collect::<HashSet<_>>().len() == names.len();
        differ(&self.names)
            && differ(&self.metric_names)
            && self.epochs.iter().all(sound)
            && self.epochs.iter().try_fold(0u64, |sum, e| sum.checked_add(e.steps)).is_some_and(|sum| sum < 1 << 48)
    }

    /// Removes all epochs from index `from` (0-based) on.
    pub(crate) fn truncate(&mut self, from: usize) {
        self.epochs.truncate(from);
    }

    /// Sets the names of the losses of future records, and adds metrics that are missing. Other losses that were
    /// recorded before become metrics, so that none is lost or takes another's name.
    pub(crate) fn set_names<'a>(&mut self, losses: &[&str], metrics: impl IntoIterator<Item = &'a str>) {
        if self.names != losses {
            self.losses_to_metrics();
            self.names = losses.iter().map(ToString::to_string).collect();
        }
        for name in metrics {
            self.column(name);
        }
    }

    fn losses_to_metrics(&mut self) {
        if self.epochs.is_empty() {
            return;
        }
        let columns: Vec<usize> = std::mem::take(&mut self.names).iter().map(|name| self.column(name)).collect();
        for epoch in &mut self.epochs {
            for (&column, loss) in columns.iter().zip(std::mem::take(&mut epoch.losses)) {
                set(&mut epoch.metrics, column, Some(loss));
            }
        }
    }

    /// Returns the index of a metric, which is added if it is missing.
    fn column(&mut self, name: &str) -> usize {
        place(&self.metric_names, name).unwrap_or_else(|| {
            self.metric_names.push(name.to_string());
            self.metric_names.len() - 1
        })
    }

    pub(crate) fn push(&mut self, record: EpochRecord) {
        self.epochs.push(record);
    }

    /// Sets a metric of the last epoch; a value that is not finite counts as not measured.
    pub(crate) fn set_last_metric(&mut self, name: &str, value: Option<f64>) {
        let column = self.column(name);
        if let Some(record) = self.epochs.last_mut() {
            set(&mut record.metrics, column, value.filter(|value| value.abs() < MOST));
        }
    }

    /// Returns the part of this history from epoch index `from` (0-based) on.
    pub(crate) fn since(&self, from: usize) -> Self {
        Self { epochs: self.epochs.get(from..).unwrap_or_default().to_vec(), ..self.without_epochs() }
    }

    /// Returns the part of this history before epoch index `to` (0-based).
    pub(crate) fn until(&self, to: usize) -> Self {
        Self { epochs: self.epochs.iter().take(to).cloned().collect(), ..self.without_epochs() }
    }

    fn without_epochs(&self) -> Self {
        Self { names: self.names.clone(), metric_names: self.metric_names.clone(), epochs: Vec::new() }
    }
}

fn place(names: &[String], name: &str) -> Option<usize> {
    names.iter().position(|n| n == name)
}

fn set(metrics: &mut Vec<Option<f64>>, column: usize, value: Option<f64>) {
    if metrics.len() <= column {
        metrics.resize(column + 1, None);
    }
    metrics[column] = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: usize, losses: Vec<f64>) -> EpochRecord {
        EpochRecord::new(epoch, 0.1, losses, 2, 1.0)
    }

    fn history(metrics: &[Option<f64>]) -> History {
        let mut history = History::default();
        history.set_names(&["loss"], ["valid_loss"]);
        for (i, metric) in metrics.iter().enumerate() {
            history.push(record(i + 1, vec![i as f64]));
            if metric.is_some() {
                history.set_last_metric("valid_loss", *metric);
            }
        }
        history
    }

    #[test]
    fn metrics_exist_for_validated_epochs() {
        let history = history(&[Some(5.0), None, Some(3.0)]);
        assert_eq!(history.curve("loss").unwrap(), [(1, 0.0), (2, 1.0), (3, 2.0)]);
        assert_eq!(history.curve("valid_loss").unwrap(), [(1, 5.0), (3, 3.0)]);
        assert_eq!(history.last("valid_loss"), Some(3.0));
        assert_eq!(history.losses("other"), None);
        assert_eq!(history.since(2).losses("valid_loss"), Some(vec![3.0]));
        assert_eq!(history.until(1).losses("valid_loss"), Some(vec![5.0]));
        assert!(history.is_sound());
    }

    /// A metric that is measured only in later fits has no value in earlier epochs, and vice versa.
    #[test]
    fn metrics_come_and_go() {
        let mut history = history(&[Some(5.0)]);
        history.set_names(&["loss"], ["valid_kid_b"]);
        history.push(record(2, vec![7.0]));
        history.set_last_metric("valid_kid_b", Some(0.5));
        history.push(record(3, vec![8.0]));
        history.set_last_metric("valid_kid_b", Some(f64::INFINITY));
        assert_eq!(history.metric_names(), ["valid_loss", "valid_kid_b"]);
        assert_eq!(history.curve("valid_loss").unwrap(), [(1, 5.0)]);
        assert_eq!(history.curve("valid_kid_b").unwrap(), [(2, 0.5)]);
        assert!(history.is_sound());
        let text = serde_json::to_string(&history).unwrap();
        assert_eq!(serde_json::from_str::<History>(&text).unwrap(), history);
    }

    /// For example, if another release computes other losses.
    #[test]
    fn losses_of_other_names_are_kept_under_theirs() {
        let mut history = history(&[Some(5.0), None]);
        history.set_names(&["total", "loss"], ["valid_loss"]);
        history.push(record(3, vec![20.0, 21.0]));
        assert_eq!(history.curve("loss").unwrap(), [(1, 0.0), (2, 1.0), (3, 21.0)]);
        assert_eq!(history.curve("total").unwrap(), [(3, 20.0)]);
        assert_eq!(history.curve("valid_loss").unwrap(), [(1, 5.0)]);
        assert!(history.is_sound());
    }

    #[test]
    fn records_that_do_not_fit_the_names_are_unsound() {
        let sound = history(&[Some(5.0)]);
        let changed = |change: &dyn Fn(&mut History)| {
            let mut history = sound.clone();
            change(&mut history);
            history.is_sound()
        };
        assert!(!changed(&|h| h.epochs[0].losses.push(1.0)));
        assert!(!changed(&|h| h.epochs[0].losses[0] = f64::NAN));
        assert!(!changed(&|h| h.epochs[0].metrics.push(None)));
        assert!(!changed(&|h| h.epochs[0].metrics[0] = Some(1e40)));
        assert!(!changed(&|h| h.names.push("loss".to_string())));
        assert!(!changed(&|h| h.epochs[0].steps = u64::MAX));
        assert!(changed(&|h| h.epochs[0].losses.clear()));
    }

    /// Models that were saved before there was validation have neither field.
    #[test]
    fn histories_without_validation_are_read() {
        let text = r#"{"names":["loss"],"epochs":[{"epoch":1,"lr":0.1,"losses":[2.0],"steps":3,"seconds":0.5}]}"#;
        let history: History = serde_json::from_str(text).unwrap();
        assert!(history.is_sound());
        assert_eq!(history.last("loss"), Some(2.0));
        assert_eq!(serde_json::to_string(&history).unwrap(), text);
    }
}
