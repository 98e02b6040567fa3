//! The one model trait.

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

/// What the trainer tells a model about the step it is to make.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct StepContext<'a> {
    /// Learning rate of this step.
    pub lr: f64,
    /// Share of the fit's steps that were made before this one, from 0 to 1; 0 outside of a fit.
    pub progress: f64,
    /// The discriminators' learning rate, as a multiple of this one.
    pub disc_lr_ratio: f64,
    /// The numbers of Adam.
    pub adam: AdamOptions,
    /// Batches that the model has learnt from in its life, this one not counted; keys its random streams.
    pub step: u64,
    /// The arithmetic of the networks.
    pub precision: Precision,
    /// Whether, on CUDA, only kernels may run that give the same result every time.
    pub deterministic: bool,
    /// Share of this batch in the next update of the weights: 1, or 1/k where k batches make one update.
    pub share: f64,
    /// Whether the weights are updated after this batch; else its gradients are kept for a later one.
    pub update: bool,
    /// The batch that all processes make, where this is one of several.
    pub(crate) joint: Option<JointBatch<'a>>,
}

impl<'a> StepContext<'a> {
    /// A whole step in the default precision: one batch, one update.
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

    /// The batch of all processes, of which `images` are the images of one domain that are here.
    pub(crate) fn joint_batch(&self, images: &Tensor) -> Result<JointBatch<'a>> {
        let here = images.size4()?.0 as usize;
        Ok(self.joint.unwrap_or_else(|| JointBatch::alone(here)))
    }
}

/// A model that translates between two domains and can be trained by the trainer: it owns its networks, its
/// training step and its optimizers.
pub trait Translator {
    /// Names of the values that [`train_step`](Self::train_step) gives, in order.
    fn loss_names(&self) -> &'static [&'static str];

    /// Learns from one batch.
    ///
    /// # Shapes
    /// Gives a 1-D tensor with one loss for each name, on the model's device; the trainer reads it only now
    /// and then, so that the device is not held up.
    ///
    /// # Errors
    /// What libtorch reports, such as a lack of memory.
    fn train_step(&mut self, batch: &Batch, context: StepContext<'_>) -> Result<Tensor>;

    /// Names of the values that [`validate`](Self::validate) gives, in order; all are better when lower. The first
    /// is what is watched by default. None by default: then there is no validation.
    fn metric_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// Measures the model on one batch and changes nothing: the same weights always give the same numbers.
    ///
    /// # Shapes
    /// Gives a 1-D tensor with the mean over the batch for each name.
    ///
    /// # Errors
    /// What libtorch reports.
    fn validate(&self, _batch: &Batch, _precision: Precision) -> Result<Tensor> {
        Err(Error::new(ErrorKind::Unsupported, "this model has no validation"))
    }

    /// The domains that it translates into, each from the other; where there are several, in the order in which results are
    /// shown. Both by default, B first.
    fn targets(&self) -> &'static [Domain] {
        &[Domain::B, Domain::A]
    }

    /// Translates normalized images into domain `to`, one of [`targets`](Self::targets).
    ///
    /// # Shapes
    /// (N, C, H, W) in [-1, 1] to the same, of any height and width.
    ///
    /// # Errors
    /// `Torch` when shape or band count do not fit.
    fn translate(&self, images: &Tensor, to: Domain) -> Result<Tensor>;

    /// The device of the networks.
    fn torch_device(&self) -> tch::Device;

    /// Everything that training changes. The tensors share memory with the model.
    fn state(&self) -> TrainState;

    /// Puts back the values that [`state`](Self::state) had.
    ///
    /// # Errors
    /// `Usage` when the state is that of another architecture; the model is then unchanged.
    fn restore(&mut self, state: &TrainState) -> Result<()>;

    /// What training on `data` will take, where `accumulate` batches make an update of the weights. A fit is refused
    /// when that is not free. None by default: then nothing is refused.
    fn memory_need(&self, _data: &DataBunch, _precision: Precision, _accumulate: usize) -> Option<MemoryEstimate> {
        None
    }

    /// How the model is made: its architecture, its weights of losses, its seed. A checkpoint is taken up only by a
    /// model that gives the same. Null by default.
    ///
    /// # Errors
    /// What writing it as JSON reports.
    fn configuration(&self) -> Result<Value> {
        Ok(Value::Null)
    }
}

/// Tells what is known of any model, for the `Debug` of reports that hold one.
impl fmt::Debug for dyn Translator + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Translator").field("loss_names", &self.loss_names()).finish_non_exhaustive()
    }
}
