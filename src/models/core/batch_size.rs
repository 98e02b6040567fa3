//! The batch size of a model's data, where it is to be found by trial.

use super::learner::{Learner, check_chips};
use super::model::Model;
use super::training::Training;
use crate::dataset::{BatchSize, DataBunch};
use crate::error::Result;
use crate::train::{BatchSizeTrial, choose_batch_size};

impl<M: Model> Learner<M> {
    /// Chips of each domain in a batch of the model's data; `None` without data. After
    /// [`BatchSize::Auto`](crate::dataset::BatchSize::Auto) the size that was chosen: give it to
    /// [`PrepareData::batch_size`](crate::PrepareData::batch_size) to repeat the run or to go on with it.
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

    /// What was tried to find the batch size; empty where it was given.
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

    /// Measures the batch size of data that leave it open, unless their chips are too small to train on at all.
    pub(in crate::models) fn with_batch_size_settled(mut self) -> Result<Self> {
        let open = |data: &DataBunch| {
            data.batch_size_option() == BatchSize::Auto && check_chips::<M>(data, self.config()).is_ok()
        };
        if let Some(data) = self.data.clone().filter(open) {
            // Their memory counts as taken while sizes are tried.
            self.model.begin_training()?;
            let (chosen, trials) = choose_batch_size(&mut *Training::of(&mut self).learner, &data)?;
            self.data = Some(data.with_batch_size(chosen)?);
            self.trials = trials;
        }
        Ok(self)
    }
}
