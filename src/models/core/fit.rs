//! Training a model, and finding its learning rate.

use super::learner::{Learner, check_chips};
use super::model::Model;
use super::training::Training;
use crate::error::Result;
use crate::train::{self, FitOptions, History, LrCurve, LrFindOptions};

impl<M: Model> Learner<M> {
    /// Trains: `fit(20)` for twenty epochs by the published recipe, or [`FitOptions`] for anything else.
    ///
    /// Fits follow on from each other: weights, optimizer moments and random streams live on. Gives the record
    /// of this fit; that of all is [`history`](Self::history).
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, DatasetType, FitOptions, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::new(&data)?;
    /// model.fit(20)?;
    /// let history = model.fit(FitOptions::new(10).lr(1e-4))?;
    /// println!("{:?}", history.losses("cycle"));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when an option is out of range, the chips are too small or the model has no data, or a learning rate is to be
    /// [found](train::LearningRate::Find) and the sweep suggests none; `Stopped` when that sweep was stopped; `Diverged` when a
    /// loss or a weight is no longer finite; `Format` or `Io` for a chip that can no longer be read; what libtorch or
    /// a callback reports; what is wrong with a checkpoint; `Limits` when memory is not enough, by
    /// [`memory_estimate`](Self::memory_estimate) before it begins or in truth later. After an error within an epoch the model is as it was at
    /// the end of the epoch before; after one in writing a checkpoint it stays as it is, and can be saved elsewhere. So it is
    /// after a panic of a callback that is caught: model and history agree.
    pub fn fit(&mut self, options: impl Into<FitOptions>) -> Result<History> {
        let data = self.data("fit")?;
        check_chips::<M>(&data, self.config())?;
        let options = options.into();
        self.model.begin_training()?;
        let mut training = Training::of(self);
        train::fit(&mut *training.learner, &data, options, &mut training.history)
    }

    /// Sweeps over learning rates from 1e-7 to 1 in 100 steps of training and puts the model back to the bit: weights,
    /// moments, image pools. Gives the curve, its [suggestion](LrCurve::suggestion) and its
    /// [picture](LrCurve::plot).
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, DatasetType, FitOptions, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::new(&data)?;
    /// let curve = model.lr_find()?;
    /// curve.plot()?.save("lr.png")?;
    /// model.fit(FitOptions::new(20).lr(curve.suggestion().unwrap_or(2e-4)))?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when the model has no data or its chips are too small; what reading the chips or libtorch reports.
    pub fn lr_find(&mut self) -> Result<LrCurve> {
        self.lr_find_with(LrFindOptions::default())
    }

    /// The same over other rates, or in more or fewer steps.
    ///
    /// # Errors
    /// As [`lr_find`](Self::lr_find), and `Usage` for an option out of range.
    pub fn lr_find_with(&mut self, options: LrFindOptions) -> Result<LrCurve> {
        let data = self.data("lr_find")?;
        check_chips::<M>(&data, self.config())?;
        let steps = self.history.steps();
        self.model.begin_training()?;
        train::lr_find(&mut *Training::of(self).learner, &data, steps, options)
    }

    /// Keeps the encoders of the generators (the layers before the residual blocks; of a U-Net those that halve) as they are in the fits to come,
    /// so that few chips can train the rest of a [pretrained](crate::models::cyclegan::CycleGanBuilder::pretrained_path) model.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
    /// model.freeze();
    /// // model.fit(5)?;
    /// model.unfreeze();
    /// assert!(!model.is_frozen());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn freeze(&mut self) {
        self.model.set_frozen(true);
    }

    /// Lets all layers learn again. A new model has none that does not.
    pub fn unfreeze(&mut self) {
        self.model.set_frozen(false);
    }

    /// Whether [`freeze`](Self::freeze) holds.
    pub fn is_frozen(&self) -> bool {
        self.model.is_frozen()
    }

    /// Whether the last training step was replayed from CUDA graphs: each half of a step is recorded once and then launched with
    /// one call. That saves time where launching the kernels one by one takes longer than running them, as with small batches.
    /// A recording keeps the memory of a step to itself until training ends; where less than as much again would be free, none
    /// is made.
    ///
    /// Steps on CUDA do, unless the environment variable `GEOLEARN_CUDA_GRAPHS=0` switches them off, in a model without
    /// [`spectral_norm`](crate::models::cyclegan::CycleGanConfig::spectral_norm), [`diff_augment`](crate::models::cyclegan::CycleGanConfig::diff_augment) and
    /// [`cycle_weight_end`](crate::models::cyclegan::CycleGanConfig::cycle_weight_end). The first three steps of a batch size are never recorded; and where
    /// recording fails, training goes on without.
    ///
    /// ```
    /// let model = geolearn::CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert!(!model.uses_cuda_graphs());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn uses_cuda_graphs(&self) -> bool {
        self.model.uses_cuda_graphs()
    }

    /// Why this model trains without CUDA graphs on CUDA, where recording a step has failed; else none.
    ///
    /// ```
    /// let model = geolearn::CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert_eq!(model.cuda_graphs_failure(), None);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn cuda_graphs_failure(&self) -> Option<&str> {
        self.model.cuda_graphs_failure()
    }
}
