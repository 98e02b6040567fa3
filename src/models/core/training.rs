//! Lends a model's history to the trainer and takes it back, after a panic too.

use super::learner::Learner;
use super::model::Model;
use crate::dataset::Domain;
use crate::evaluation::Metrics;
use crate::train::History;

/// A model with its history on loan to the trainer. Both agree again when this goes, after a panic of a callback too.
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
        // What was learnt was taken back.
        if self.history.epochs().len() == self.epochs {
            self.learner.untrained = self.untrained;
            self.learner.metrics = self.metrics.take();
        }
        self.learner.history = std::mem::take(&mut self.history);
    }
}
