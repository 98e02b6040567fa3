//! Training a model, and finding its learning rate.

use super::learner::{Learner, check_chips};
use super::model::Model;
use super::training::Training;
use crate::error::Result;
use crate::train::{self, FitOptions, History, LrCurve, LrFindOptions};

impl<M: Model> Learner<M> {
    /// Trains the model: `fit(20)` for twenty epochs with the published recipe, or [`FitOptions`] for anything else.
    ///
    /// Each fit continues the previous one: weights, optimizer moments and random streams are kept. Returns the record
    /// of this fit; [`history`](Self::history) returns that of all fits.
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
    /// `Usage` if an option is out of range, the chips are too small, the model has no data, or a learning rate is to
    /// be [found](train::LearningRate::Find) and the sweep suggests none; `Stopped` if that sweep was stopped;
    /// `Diverged` if a loss or a weight is no longer finite; `Format` or `Io` for a chip that can no longer be read;
    /// errors of libtorch, callbacks and checkpoints; `Limits` if memory is not sufficient, according to
    /// [`memory_estimate`](Self::memory_estimate) before the fit starts, or when an allocation fails later. After an
    /// error within an epoch, the model is restored to the end of the previous epoch. After an error in writing a
    /// checkpoint it stays as it is, and can be saved elsewhere. If a panic of a callback is caught, model and history
    /// are consistent.
    pub fn fit(&mut self, options: impl Into<FitOptions>) -> Result<History> {
        let data = self.data("fit")?;
        check_chips::<M>(&data, self.config())?;
        let options = options.into();
        self.model.begin_training()?;
        let mut training = Training::of(self);
        train::fit(&mut *training.learner, &data, options, &mut training.history)
    }

    /// Sweeps over learning rates from 1e-7 to 1 in 100 training steps and restores the model bit for bit: weights,
    /// moments, image pools. Returns the curve, with its [suggestion](LrCurve::suggestion) and its
    /// [plot](LrCurve::plot).
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
    /// `Usage` if the model has no data or its chips are too small; errors of reading the chips or of libtorch.
    pub fn lr_find(&mut self) -> Result<LrCurve> {
        self.lr_find_with(LrFindOptions::default())
    }

    /// Sweeps like [`lr_find`](Self::lr_find), over other rates or in another number of steps.
    ///
    /// ```no_run
    /// use geolearn::train::LrFindOptions;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let curve = CycleGan::new(&data)?.lr_find_with(LrFindOptions::default().steps(200))?;
    /// println!("{:?}", curve.suggestion());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`lr_find`](Self::lr_find), and `Usage` for an option out of range.
    pub fn lr_find_with(&mut self, options: LrFindOptions) -> Result<LrCurve> {
        let data = self.data("lr_find")?;
        check_chips::<M>(&data, self.config())?;
        let steps = self.history.steps();
        self.model.begin_training()?;
        train::lr_find(&mut *Training::of(self).learner, &data, steps, options)
    }

    /// Freezes the encoders of the generators (the layers before the residual blocks; in a U-Net, those that halve the
    /// size) in the following fits, so that a few chips can train the rest of a
    /// [pretrained](crate::models::cyclegan::CycleGanBuilder::pretrained_path) model.
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

    /// Lets all layers train again, as in a new model.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// model.freeze();
    /// model.unfreeze();
    /// assert!(!model.is_frozen());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn unfreeze(&mut self) {
        self.model.set_frozen(false);
    }

    /// Returns whether the encoders are [frozen](Self::freeze).
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert!(!model.is_frozen());
    /// model.freeze();
    /// assert!(model.is_frozen());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn is_frozen(&self) -> bool {
        self.model.is_frozen()
    }

    /// Returns whether the last training step was replayed from CUDA graphs: each half of a step is recorded once and
    /// then launched with one call. That saves time if launching the kernels one by one takes longer than running them,
    /// as with small batches. A recording keeps the memory of a step until training ends; if less than that much again
    /// would remain free, none is made.
    ///
    /// Steps on CUDA are replayed unless the environment variable `GEOLEARN_CUDA_GRAPHS=0` turns this off, or the model
    /// uses [`spectral_norm`](crate::models::cyclegan::CycleGanConfig::spectral_norm),
    /// [`diff_augment`](crate::models::cyclegan::CycleGanConfig::diff_augment) or
    /// [`cycle_weight_end`](crate::models::cyclegan::CycleGanConfig::cycle_weight_end). The first three steps of a
    /// batch size are never recorded; if recording fails, training continues without it.
    ///
    /// ```
    /// let model = geolearn::CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert!(!model.uses_cuda_graphs());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn uses_cuda_graphs(&self) -> bool {
        self.model.uses_cuda_graphs()
    }

    /// Returns why this model trains without CUDA graphs on CUDA, if recording a step has failed; otherwise `None`.
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
