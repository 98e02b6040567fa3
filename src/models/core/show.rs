//! Pictures of a model: samples, losses, learning rates.

use super::learner::Learner;
use super::model::Model;
use crate::error::Result;
use crate::plot::Picture;
use crate::train;

impl<M: Model> Learner<M> {
    /// Draws rows of input, translation and reconstruction of fixed validation chips, or of training chips if there is
    /// no validation set.
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
    /// model.show_results(4)?.save("results.png")?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` if the model has no data; errors of reading the chips.
    #[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
    pub fn show_results(&self, rows: usize) -> Result<Picture> {
        train::show_results(self, &self.data("show_results")?, rows)
    }

    /// Draws the losses over epochs, with those on the validation pairs dashed in the same colors.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let picture = model.plot_losses()?;
    /// assert_eq!(picture.as_rgb_image().dimensions(), (960, 640));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` before the first epoch.
    #[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
    pub fn plot_losses(&self) -> Result<Picture> {
        train::losses(&self.history)
    }

    /// Draws the learning rate of each epoch; [`FitOptions::plot_lr`](crate::FitOptions::plot_lr) draws that of a
    /// future fit.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let picture = model.plot_lr()?;
    /// assert_eq!(picture.as_rgb_image().dimensions(), (960, 640));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` before the first epoch.
    #[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
    pub fn plot_lr(&self) -> Result<Picture> {
        train::rates(&self.history)
    }
}
