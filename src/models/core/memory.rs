//! The memory estimate of training.

use super::learner::Learner;
use super::model::Model;
use crate::device::Precision;
use crate::error::Result;
use crate::train::MemoryEstimate;

impl<M: Model> Learner<M> {
    /// Estimates the memory of training on the model's data in f32, for its batch size and the size of its chips after
    /// [`Augment::crop`](crate::dataset::Augment::crop). [`fit`](Self::fit) refuses to start if that much is not free.
    ///
    /// On the CPU, `activations` are within 20 % of what libtorch's allocators give out for a step, which a test
    /// checks. On CUDA, another test checks that they are between 0.7 and 1.5 times that, including the scratch memory
    /// of cuDNN's kernels, but not what cuDNN's benchmark mode takes in f32 and TF32 if the process has turned that on
    /// (8 GB on an H200).
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, PrepareData};
    ///
    /// let data = |n| PrepareData::new("assets/bluemarble", DatasetType::CycleGan).batch_size(n).prepare();
    /// let model = CycleGan::from_model("assets/models/sat2relief", Some(&data(1)?))?;
    /// let larger = CycleGan::from_model("assets/models/sat2relief", Some(&data(8)?))?;
    /// assert!(larger.memory_estimate()?.activations > 7 * model.memory_estimate()?.activations);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` if the model has no data.
    pub fn memory_estimate(&self) -> Result<MemoryEstimate> {
        Ok(self.model.memory_need(&self.data("memory_estimate")?, Precision::F32, 1))
    }
}
