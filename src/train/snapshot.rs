//! Snapshots: the state of a fit at one moment.

use super::history::History;
use super::plan::Plan;
use super::state::Position;
use super::translator::Translator;
use crate::dataset::DataBunch;
use crate::peers::Part;

/// The state of a fit at one moment, which a callback can save.
///
/// ```
/// use geolearn::Result;
/// use geolearn::train::{Callback, EpochReport, Flow};
///
/// /// Keeps every tenth epoch.
/// struct EveryTenth;
///
/// impl Callback for EveryTenth {
///     fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
///         if report.snapshot.epochs() % 10 == 0 {
///             report.snapshot.save(format!("kept/{:04}.safetensors", report.snapshot.epochs()))?;
///         }
///         Ok(Flow::Continue)
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    pub(super) model: &'a dyn Translator,
    pub(super) data: &'a DataBunch,
    pub(super) history: &'a History,
    pub(super) plan: &'a Plan,
    pub(super) position: &'a Position,
    /// The process that it belongs to.
    pub(super) part: Part,
}

impl Snapshot<'_> {
    /// Returns the number of complete epochs in the model's life.
    pub fn epochs(&self) -> usize {
        self.position.epochs_in_life()
    }

    /// Returns the number of complete epochs of this fit.
    pub(super) fn epochs_of_fit(&self) -> usize {
        self.position.epochs
    }

    /// Returns whether this fit has made a step.
    pub(super) fn has_begun(&self) -> bool {
        self.position.epochs + self.position.batches > 0
    }

    /// Returns the number of batches done in the current epoch; 0 at the end of an epoch.
    pub fn batches(&self) -> usize {
        self.position.batches
    }
}
