//! What training takes.

use super::learner::Learner;
use super::model::Model;
use crate::device::Precision;
use crate::error::Result;
use crate::train::MemoryEstimate;

impl<M: Model> Learner<M> {
    /// What training on the model's data will take, for their batch size and the size of their chips after
    /// [`Augment::crop`](crate::dataset::Augment::crop), in f32. [`fit`](Self::fit) refuses to begin when that is not free.
    ///
    /// On the processor, `activations` are within 20 % of what libtorch's allocators give out for a step, which a test
    /// keeps true. On CUDA another holds them between 0.7 and 1.5 times that, scratch of cuDNN's kernels included; not what
    /// its search takes in f32 and TF32 where the process has turned that on (8 GB on an H200).
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
    /// `Usage` when the model has no data.
    pub fn memory_estimate(&self) -> Result<MemoryEstimate> {
        Ok(self.model.memory_need(&self.data("memory_estimate")?, Precision::F32, 1))
    }
}
