//! Lends a model's history to the trainer and takes it back, even after a panic.

use super::learner::Learner;
use super::model::Model;
use crate::dataset::Domain;
use crate::evaluation::Metrics;
use crate::train::History;

/// A model whose history is lent to the trainer. When this value is dropped, even after a panic of a callback, both are
/// consistent again.
pub(super) struct Training<'a, M: Model> {
    pub learner: &'a mut Learner<M>,
    pub history: History,
    epochs: usize,
    untrained: Option<Domain>,
    metrics: Option<Metrics>,
}

impl<'a, M: Model> Training<'a, M> {
    pub fn of(learner: &'a mut Learner<M>) -> Self {
        let history = std::mem::take(&mut learner.history);
        let (epochs, untrained, metrics) = (history.epochs().len(), learner.untrained, learner.metrics.clone());
        Self { learner, history, epochs, untrained, metrics }
    }
}

impl<M: Model> Drop for Training<'_, M> {
    fn drop(&mut self) {
        self.learner.kept = None;
        self.learner.model.end_training();
        // The model was rolled back.
        if self.history.epochs().len() == self.epochs {
            self.learner.untrained = self.untrained;
            self.learner.metrics = self.metrics.take();
        }
        self.learner.history = std::mem::take(&mut self.history);
    }
}
