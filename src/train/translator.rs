//! The one model trait.

use tch::Tensor;

use crate::dataset::{Batch, Domain};
use crate::error::Result;
use crate::nn::copied;
use crate::optim::AdamOptions;

/// What the trainer tells a model about the step it is to make.
#[derive(Debug, Clone, Copy)]
pub struct StepContext {
    /// Learning rate of this step.
    pub lr: f64,
    /// The numbers of Adam.
    pub adam: AdamOptions,
    /// Steps that the model has made in its life, this one not counted; keys its random streams.
    pub step: u64,
}

/// Everything that changes while a model trains.
#[derive(Debug, Default)]
pub struct TrainState {
    /// Parameters, optimiser moments and stored images, by name.
    pub tensors: Vec<(String, Tensor)>,
}

impl TrainState {
    /// The same values in memory of their own, on the processor.
    pub(super) fn copied(&self) -> Result<Self> {
        let copy = |(name, t): &(String, Tensor)| Ok((name.clone(), copied(t, tch::Device::Cpu)?));
        Ok(Self { tensors: self.tensors.iter().map(copy).collect::<Result<_>>()? })
    }

    /// The first tensor that holds an infinite value or none at all.
    pub(super) fn not_finite(&self) -> Result<Option<&str>> {
        for (name, tensor) in &self.tensors {
            if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// A model that translates between two domains and can be trained by the trainer: it owns its networks, its
/// training step and its optimisers.
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
    fn train_step(&mut self, batch: &Batch, context: StepContext) -> Result<Tensor>;

    /// Translates normalised images into domain `to`.
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
    /// `Usage` when the state is that of another architecture.
    fn restore(&mut self, state: &TrainState) -> Result<()>;
}
