//! The trait that every trainable model implements.

use std::fmt;

use serde_json::Value;
use tch::Tensor;

use super::memory::MemoryEstimate;
use super::state::TrainState;
use crate::dataset::{Batch, DataBunch, Domain};
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::optim::AdamOptions;
use crate::peers::JointBatch;

/// What the trainer tells a model about the next step.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StepContext<'a> {
    /// Learning rate of this step.
    pub lr: f64,
    /// Share of the fit's steps that were made before this one, from 0 to 1; 0 outside of a fit.
    pub progress: f64,
    /// The discriminators' learning rate, as a multiple of `lr`.
    pub disc_lr_ratio: f64,
    /// The options of Adam.
    pub adam: AdamOptions,
    /// Batches that the model has seen in its life, without this one; the key of its random streams.
    pub step: u64,
    /// The arithmetic of the networks.
    pub precision: Precision,
    /// Whether, on CUDA, only reproducible kernels may run.
    pub deterministic: bool,
    /// Share of this batch in the next update of the weights: 1, or 1/k if k batches make one update.
    pub share: f64,
    /// Whether the weights are updated after this batch; otherwise its gradients are kept for a later one.
    pub update: bool,
    /// The joint batch of all processes, if this batch is part of one.
    pub(crate) joint: Option<JointBatch<'a>>,
}

impl<'a> StepContext<'a> {
    /// Creates a complete step in the default precision: one batch, one update.
    pub fn new(lr: f64, adam: AdamOptions, step: u64) -> Self {
        let (disc_lr_ratio, progress) = (1.0, 0.0);
        Self {
            lr,
            progress,
            disc_lr_ratio,
            adam,
            step,
            precision: Precision::Auto,
            deterministic: false,
            share: 1.0,
            update: true,
            joint: None,
        }
    }

    /// Returns the joint batch, of which `images` are this process's images of one domain.
    pub(crate) fn joint_batch(&self, images: &Tensor) -> Result<JointBatch<'a>> {
        let here = images.size4()?.0 as usize;
        Ok(self.joint.unwrap_or_else(|| JointBatch::alone(here)))
    }
}

/// A model that translates between two domains and can be trained by [`fit`](super::fit): it owns its networks, its
/// training step and its optimizers.
pub trait Translator {
    /// Returns the names of the values that [`train_step`](Self::train_step) returns, in order.
    fn loss_names(&self) -> &'static [&'static str];

    /// Trains on one batch.
    ///
    /// # Shapes
    /// Returns a 1-D tensor with one loss for each name, on the model's device; the trainer reads it only from time to
    /// time, to avoid waiting for the device.
    ///
    /// # Errors
    /// Whatever libtorch reports, such as a lack of memory.
    fn train_step(&mut self, batch: &Batch, context: StepContext<'_>) -> Result<Tensor>;

    /// Returns the names of the values that [`validate`](Self::validate) returns, in order; lower is better. The first
    /// one is the default monitor. Empty by default: then there is no validation.
    fn metric_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// Measures the model on one batch without changing it: the same weights always give the same numbers.
    ///
    /// # Shapes
    /// Returns a 1-D tensor with the mean over the batch for each name.
    ///
    /// # Errors
    /// Whatever libtorch reports.
    fn validate(&self, _batch: &Batch, _precision: Precision) -> Result<Tensor> {
        Err(Error::new(ErrorKind::Unsupported, "this model has no validation"))
    }

    /// Returns the domains that it translates into, each from the other, in the order in which results are shown. Both
    /// by default, B first.
    fn targets(&self) -> &'static [Domain] {
        &[Domain::B, Domain::A]
    }

    /// Translates normalized images into domain `to`, one of [`targets`](Self::targets).
    ///
    /// # Shapes
    /// (N, C, H, W) in [-1, 1] to the same, of any height and width.
    ///
    /// # Errors
    /// `Torch` if shape or number of bands do not match.
    fn translate(&self, images: &Tensor, to: Domain) -> Result<Tensor>;

    /// Returns the device of the networks.
    fn torch_device(&self) -> tch::Device;

    /// Returns everything that training changes. The tensors share memory with the model.
    fn state(&self) -> TrainState;

    /// Restores the values that [`state`](Self::state) returned.
    ///
    /// # Errors
    /// `Usage` if the state belongs to another architecture; the model is then unchanged.
    fn restore(&mut self, state: &TrainState) -> Result<()>;

    /// Estimates the memory of training on `data` if `accumulate` batches make an update of the weights. A fit is
    /// refused if that much is not free. `None` by default: then nothing is refused.
    fn memory_need(&self, _data: &DataBunch, _precision: Precision, _accumulate: usize) -> Option<MemoryEstimate> {
        None
    }

    /// Returns how the model is built: its architecture, loss weights and seed. Only a model that returns the same
    /// value can resume from a checkpoint. Null by default.
    ///
    /// # Errors
    /// Whatever writing it as JSON reports.
    fn configuration(&self) -> Result<Value> {
        Ok(Value::Null)
    }
}

/// Writes what is known about any model, for the `Debug` output of reports that contain one.
impl fmt::Debug for dyn Translator + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Translator").field("loss_names", &self.loss_names()).finish_non_exhaustive()
    }
}
