//! What training has recorded.

use serde::{Deserialize, Serialize};

/// The record of one epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch in the model's life, from 1.
    pub epoch: usize,
    /// Learning rate at the epoch's last step.
    pub lr: f64,
    /// Mean of each loss over the epoch's steps, in the order of [`History::names`].
    pub losses: Vec<f64>,
    /// Steps made.
    pub steps: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
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
    epochs: Vec<EpochRecord>,
}

impl History {
    /// Names of the losses.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// One record for each epoch, oldest first.
    pub fn epochs(&self) -> &[EpochRecord] {
        &self.epochs
    }

    /// The curve of one loss, an entry for each epoch; `None` for an unknown name.
    pub fn losses(&self, name: &str) -> Option<Vec<f64>> {
        let index = self.names.iter().position(|n| n == name)?;
        self.epochs.iter().map(|e| e.losses.get(index).copied()).collect()
    }

    /// One loss of the last epoch.
    pub fn last(&self, name: &str) -> Option<f64> {
        self.losses(name)?.last().copied()
    }

    /// Steps over all epochs.
    pub fn steps(&self) -> u64 {
        self.epochs.iter().fold(0, |sum, e| sum.saturating_add(e.steps))
    }

    /// Whether the records agree with each other and are numbers that training can give; a file may hold anything.
    pub(crate) fn is_sound(&self, names: &[&str]) -> bool {
        let sound = |e: &EpochRecord| {
            e.losses.len() == names.len()
                && e.losses.iter().chain([&e.lr, &e.seconds]).all(|v| v.abs() < 1e30)
                && e.steps < 1 << 48
        };
        self.epochs.is_empty() || (self.names == names && self.epochs.iter().all(sound))
    }

    /// Forgets all epochs from number `from` (0-based) on.
    pub(crate) fn truncate(&mut self, from: usize) {
        self.epochs.truncate(from);
    }

    pub(crate) fn set_names(&mut self, names: &[&str]) {
        self.names = names.iter().map(|n| n.to_string()).collect();
    }

    pub(crate) fn push(&mut self, record: EpochRecord) {
        self.epochs.push(record);
    }

    /// The part of this history from its epoch number `from` (0-based) on.
    pub(crate) fn since(&self, from: usize) -> Self {
        Self { names: self.names.clone(), epochs: self.epochs.get(from..).unwrap_or_default().to_vec() }
    }
}
