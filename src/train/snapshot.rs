//! A fit at one moment, to be kept.

use super::history::History;
use super::plan::Plan;
use super::state::Position;
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::peers::Part;

/// A fit at one moment, for a callback that wants to keep it.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    pub(super) model: &'a dyn Translator,
    pub(super) data: &'a DataBunch,
    pub(super) history: &'a History,
    pub(super) plan: &'a Plan,
    pub(super) position: &'a Position,
    /// Whose it is, of the processes that make the fit.
    pub(super) part: Part,
}

impl Snapshot<'_> {
    /// Whole epochs in the model's life.
    pub fn epochs(&self) -> usize {
        self.position.epochs_in_life()
    }

    /// Whole epochs of this fit.
    pub(super) fn epochs_of_fit(&self) -> usize {
        self.position.epochs
    }

    /// Whether a step of this fit was made.
    pub(super) fn has_begun(&self) -> bool {
        self.position.epochs + self.position.batches > 0
    }

    /// Batches done of the epoch after these; 0 at the end of an epoch.
    pub fn batches(&self) -> usize {
        self.position.batches
    }
}
