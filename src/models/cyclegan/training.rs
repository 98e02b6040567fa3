//! Lends a model's history to the trainer and takes it back, after a panic too.

use super::CycleGan;
use crate::dataset::Domain;
use crate::evaluation::Metrics;
use crate::train::History;

/// A model with its history on loan to the trainer. Both agree again when this goes, after a panic of a callback too.
pub(super) struct Training<'a> {
    pub model: &'a mut CycleGan,
    pub history: History,
    epochs: usize,
    untrained: Option<Domain>,
    metrics: Option<Metrics>,
}

impl<'a> Training<'a> {
    pub fn of(model: &'a mut CycleGan) -> Self {
        let history = std::mem::take(&mut model.history);
        let (epochs, untrained, metrics) = (history.epochs().len(), model.untrained, model.metrics.clone());
        Self { model, history, epochs, untrained, metrics }
    }
}

impl Drop for Training<'_> {
    fn drop(&mut self) {
        self.model.kept = None;
        // Their memory serves what comes after training.
        if let Some(optimisers) = &mut self.model.optimisers {
            optimisers.graphs_mut().clear();
        }
        // What was learnt was taken back.
        if self.history.epochs().len() == self.epochs {
            self.model.untrained = self.untrained;
            self.model.metrics = self.metrics.take();
        }
        self.model.history = std::mem::take(&mut self.history);
    }
}
