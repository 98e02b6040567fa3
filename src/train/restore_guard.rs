//! A guard that restores a model after a trial, even if the trial panics.

use super::state::TrainState;
use super::translator::Translator;
use crate::error::Result;

/// A model during a trial: weights, moments and image pools are restored at the end, even after a panic.
pub(super) struct RestoreGuard<'a> {
    model: &'a mut dyn Translator,
    before: Option<TrainState>,
}

impl<'a> RestoreGuard<'a> {
    pub fn of(model: &'a mut dyn Translator) -> Result<Self> {
        let before = Some(model.state().copied()?);
        Ok(Self { model, before })
    }

    pub fn model(&mut self) -> &mut dyn Translator {
        self.model
    }

    /// Restores the model, and returns whether that failed.
    pub fn end(mut self) -> Result<()> {
        self.restore()
    }

    fn restore(&mut self) -> Result<()> {
        self.before.take().map_or(Ok(()), |before| self.model.restore(&before))
    }
}

impl Drop for RestoreGuard<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.restore() {
            tracing::warn!(%error, "the model could not be restored after a trial");
        }
    }
}
