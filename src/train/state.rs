//! The state that resuming needs.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::Result;
use crate::ffi;
use crate::nn::copied;

/// Everything in a model that training changes.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct TrainState {
    /// Parameters, optimizer moments and stored images, by name.
    pub tensors: Vec<(String, Tensor)>,
}

impl TrainState {
    /// Creates a state of these tensors.
    ///
    /// ```
    /// use geolearn::train::TrainState;
    /// use geolearn::tch::Tensor;
    ///
    /// let state = TrainState::new(vec![("scale".to_string(), Tensor::from(1.0f32))]);
    /// assert_eq!(state.tensors[0].0, "scale");
    /// ```
    pub fn new(tensors: Vec<(String, Tensor)>) -> Self {
        Self { tensors }
    }

    /// Copies all values to main memory.
    pub(crate) fn copied(&self) -> Result<Self> {
        self.copied_to(tch::Device::Cpu)
    }

    /// Copies all values to `device`.
    pub(crate) fn copied_to(&self, device: tch::Device) -> Result<Self> {
        let copy = |(name, t): &(String, Tensor)| Ok((name.clone(), copied(t, device)?));
        Ok(Self { tensors: self.tensors.iter().map(copy).collect::<Result<_>>()? })
    }

    /// Returns the memory of all tensors.
    pub(in crate::train) fn bytes(&self) -> u64 {
        self.tensors.iter().map(|(_, t)| (t.numel() * t.kind().elt_size_in_bytes()) as u64).sum()
    }

    /// Returns the name of the first tensor with an infinite value or NaN.
    pub(in crate::train) fn not_finite(&self) -> Result<Option<&str>> {
        let all: Vec<&Tensor> = self.tensors.iter().map(|(_, tensor)| tensor).collect();
        if ffi::all_finite(&all)? {
            return Ok(None);
        }
        for (name, tensor) in &self.tensors {
            if tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? == 0 {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

/// Progress of a fit. Random streams, order and schedule are functions of it and of the seeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Epochs that the model had been trained for when the fit started.
    pub first_epoch: usize,
    /// Complete epochs of this fit.
    pub epochs: usize,
    /// Batches done in the epoch after these.
    pub batches: usize,
    /// Sums of their losses.
    pub sums: Vec<f64>,
    /// Seconds spent on them.
    pub seconds: f64,
}

impl Position {
    /// Returns the number of complete epochs in the model's life.
    pub fn epochs_in_life(&self) -> usize {
        self.first_epoch.saturating_add(self.epochs)
    }
}
