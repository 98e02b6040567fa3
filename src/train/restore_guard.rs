//! A model lent for a trial, restored afterwards, after a panic too.

use super::state::TrainState;
use super::translator::Translator;
use crate::error::Result;

/// A model on loan for a trial: weights, moments and image pools come back, after a panic too.
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

    /// Puts the model back, and tells whether that failed.
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
            tracing::warn!(%error, "the model could not be put back to where it was");
        }
    }
}
