//! What training has recorded.

use serde::{Deserialize, Serialize};

use crate::device::Precision;

/// The record of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch in the model's life, from 1.
    pub epoch: usize,
    /// Learning rate at the epoch's last step.
    pub lr: f64,
    /// Mean of each loss over the epoch's steps, in the order of [`History::names`].
    pub losses: Vec<f64>,
    /// Measures on the validation pairs, in the order of [`History::metric_names`]; empty where there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<f64>,
    /// Steps made.
    pub steps: u64,
    /// Wall-clock seconds of the steps, validation not counted.
    pub seconds: f64,
    /// What the networks computed in; `None` in records of the first release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

/// The losses of every epoch a model was trained for, over all its fits.
///
/// ```
/// let history = geolearn::History::default();
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
    /// Names of the losses.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names of the measures on validation pairs.
    pub fn metric_names(&self) -> &[String] {
        &self.metric_names
    }

    /// One record for each epoch, oldest first.
    pub fn epochs(&self) -> &[EpochRecord] {
        &self.epochs
    }

    /// One loss or measure over the epochs for which it was recorded: all of them for a loss, those with a
    /// validation for a measure. `None` for an unknown name.
    pub fn losses(&self, name: &str) -> Option<Vec<f64>> {
        Some(self.curve(name)?.into_iter().map(|(_, value)| value).collect())
    }

    /// The same with the number of each epoch, from 1.
    pub fn curve(&self, name: &str) -> Option<Vec<(usize, f64)>> {
        let (loss, metric) = (place(&self.names, name), place(&self.metric_names, name));
        let value = |epoch: &EpochRecord| match loss {
            Some(i) => epoch.losses.get(i).copied(),
            None => metric.and_then(|i| epoch.metrics.get(i).copied()),
        };
        loss.or(metric)?;
        Some(self.epochs.iter().enumerate().filter_map(|(n, epoch)| Some((n + 1, value(epoch)?))).collect())
    }

    /// One loss of the last epoch, or one measure of the last that was validated.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.losses(name)?.last().copied()
    }

    /// Steps over all epochs.
    pub fn steps(&self) -> u64 {
        self.epochs.iter().fold(0, |sum, e| sum.saturating_add(e.steps))
    }

    /// Whether the records agree with each other and are numbers that training can give; a file may hold anything.
    pub(crate) fn is_sound(&self, names: &[&str], metric_names: &[&str]) -> bool {
        let sound = |e: &EpochRecord| {
            e.losses.len() == names.len()
                && (e.metrics.is_empty() || e.metrics.len() == self.metric_names.len())
                && e.losses.iter().chain(&e.metrics).chain([&e.lr, &e.seconds]).all(|v| v.abs() < 1e30)
                && e.epoch < 1 << 48
        };
        let named = self.names == names && (self.metric_names.is_empty() || self.metric_names == metric_names);
        self.epochs.is_empty() || (named && self.epochs.iter().all(sound) && self.steps() < 1 << 48)
    }

    /// What a loss or measure was in the epochs from number `from` (0-based) on, and whether the last value is that of
    /// the last epoch: epochs between validations have none.
    pub(crate) fn watched(&self, name: &str, from: usize) -> (Vec<f64>, bool) {
        let curve: Vec<_> = self.curve(name).unwrap_or_default().into_iter().filter(|(n, _)| *n > from).collect();
        let is_fresh = curve.last().is_some_and(|(n, _)| *n == self.epochs.len());
        (curve.into_iter().map(|(_, value)| value).collect(), is_fresh)
    }

    /// Forgets all epochs from number `from` (0-based) on.
    pub(crate) fn truncate(&mut self, from: usize) {
        self.epochs.truncate(from);
    }

    pub(crate) fn set_names(&mut self, names: &[&str], metric_names: &[&str]) {
        let owned = |list: &[&str]| list.iter().map(|n| n.to_string()).collect();
        self.names = owned(names);
        self.metric_names = owned(metric_names);
    }

    pub(crate) fn push(&mut self, record: EpochRecord) {
        self.epochs.push(record);
    }

    pub(crate) fn set_last_metrics(&mut self, metrics: Vec<f64>) {
        if let Some(record) = self.epochs.last_mut() {
            record.metrics = metrics;
        }
    }

    /// The part of this history from its epoch number `from` (0-based) on.
    pub(crate) fn since(&self, from: usize) -> Self {
        Self { epochs: self.epochs.get(from..).unwrap_or_default().to_vec(), ..self.without_epochs() }
    }

    /// The part of this history before its epoch number `to` (0-based).
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

#[cfg(test)]
mod tests {
    use super::*;

    fn history(metrics: &[Option<f64>]) -> History {
        let mut history = History::default();
        history.set_names(&["loss"], &["valid_loss"]);
        for (i, metric) in metrics.iter().enumerate() {
            let metrics = metric.iter().copied().collect();
            let losses = vec![i as f64];
            history.push(EpochRecord {
                epoch: i + 1,
                lr: 0.1,
                losses,
                metrics,
                steps: 2,
                seconds: 1.0,
                precision: None,
            });
        }
        history
    }

    #[test]
    fn measures_are_there_for_the_epochs_that_were_validated() {
        let history = history(&[Some(5.0), None, Some(3.0)]);
        assert_eq!(history.curve("loss").unwrap(), [(1, 0.0), (2, 1.0), (3, 2.0)]);
        assert_eq!(history.curve("valid_loss").unwrap(), [(1, 5.0), (3, 3.0)]);
        assert_eq!(history.last("valid_loss"), Some(3.0));
        assert_eq!(history.losses("other"), None);
        assert_eq!(history.since(2).losses("valid_loss"), Some(vec![3.0]));
        assert_eq!(history.until(1).losses("valid_loss"), Some(vec![5.0]));
        assert!(history.is_sound(&["loss"], &["valid_loss"]));
        assert!(!history.is_sound(&["loss"], &["other"]));
    }

    /// Models saved before there was validation have neither field.
    #[test]
    fn histories_without_validation_are_read() {
        let text = r#"{"names":["loss"],"epochs":[{"epoch":1,"lr":0.1,"losses":[2.0],"steps":3,"seconds":0.5}]}"#;
        let history: History = serde_json::from_str(text).unwrap();
        assert!(history.is_sound(&["loss"], &["valid_loss"]));
        assert_eq!(history.last("loss"), Some(2.0));
        assert_eq!(serde_json::to_string(&history).unwrap(), text);
    }
}
