//! The batch size of a model's data, including one that has to be measured.

use super::learner::{Learner, check_chips};
use super::model::Model;
use super::training::Training;
use crate::dataset::{BatchSize, DataBunch};
use crate::error::Result;
use crate::train::{self, BatchSizeEstimate, BatchSizeTrial, choose_batch_size};

impl<M: Model> Learner<M> {
    /// Returns the batch size of the model's data, in chips of each domain; `None` without data. After
    /// [`BatchSize::Auto`](crate::dataset::BatchSize::Auto), it is the size that was chosen: set it with
    /// [`PrepareData::batch_size`](crate::PrepareData::batch_size) to repeat or resume the run.
    ///
    /// ```
    /// use geolearn::dataset::BatchSize;
    /// use geolearn::{CycleGan, DatasetType, Device, PrepareData};
    ///
    /// let prepare = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).resize_to(24);
    /// let data = prepare.batch_size(BatchSize::Auto).prepare()?;
    /// let model = CycleGan::builder(&data).gen_blocks(1).gen_features(2).disc_features(2).device(Device::Cpu).build()?;
    /// let chosen = model.batch_size().unwrap();
    /// assert!(model.batch_size_trials().iter().any(|trial| trial.batch_size == chosen));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn batch_size(&self) -> Option<usize> {
        self.data.as_ref().map(|data| data.batch_size())
    }

    /// Returns the measurements that decided the batch size; empty if it was given.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert!(model.batch_size_trials().is_empty());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn batch_size_trials(&self) -> &[BatchSizeTrial] {
        &self.trials
    }

    /// Estimates the batch sizes that fit into the free memory when this model trains on its data, by
    /// [computing](Self::memory_estimate) the memory of a step; nothing is trained. Training needs more memory than
    /// validation and prediction. The optimizers' moments count as allocated; if there are none yet, this call creates
    /// them.
    ///
    /// ```
    /// use geolearn::train::BatchSizeLimit;
    /// use geolearn::{DatasetType, Device, Pix2Pix, PrepareData};
    ///
    /// let data = PrepareData::new("assets/bluemarble_test", DatasetType::Pix2Pix).prepare()?;
    /// let builder = Pix2Pix::builder(&data).gen_levels(6).gen_features(8).disc_features(8);
    /// let estimate = builder.device(Device::Cpu).build()?.estimate_batch_size()?;
    /// if estimate.limit == BatchSizeLimit::Memory {
    ///     println!("{} chips more would not fit", estimate.max + 1);
    /// }
    /// let data = data.with_batch_size(estimate.recommended)?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` if the model has no data or its chips are too small; `Limits` if not even one chip of each domain fits;
    /// `Unsupported` if the system does not report free memory.
    pub fn estimate_batch_size(&mut self) -> Result<BatchSizeEstimate> {
        let data = self.data("estimate_batch_size")?;
        check_chips::<M>(&data, self.config())?;
        self.model.begin_training()?;
        train::estimate_batch_size(self, &data)
    }

    /// Measures the batch size if the data leaves it open, unless the chips are too small to train on.
    pub(in crate::models) fn with_batch_size_settled(mut self) -> Result<Self> {
        let open = |data: &DataBunch| {
            data.batch_size_option() == BatchSize::Auto && check_chips::<M>(data, self.config()).is_ok()
        };
        if let Some(data) = self.data.clone().filter(open) {
            // Their memory counts as allocated while sizes are tried.
            self.model.begin_training()?;
            let (chosen, trials) = choose_batch_size(&mut *Training::of(&mut self).learner, &data)?;
            self.data = Some(data.with_batch_size(chosen)?);
            self.trials = trials;
        }
        Ok(self)
    }
}
