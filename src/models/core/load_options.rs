//! Options for opening a saved model, and for loading one into another.

use crate::dataset::DataBunch;
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::package::emd::Reach;

/// How [`CycleGan::from_model_with`](crate::CycleGan::from_model_with) opens a model, and how
/// [`load_with`](crate::CycleGan::load_with), [`load_weights_with`](crate::CycleGan::load_weights_with) and
/// [`pretrained_with`](crate::models::cyclegan::CycleGanBuilder::pretrained_with) load one into another.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `data` | none | data to train and to show results on; scaled by the model's own statistics |
/// | `device` | [`Device::Auto`] | where to compute |
/// | `weights_anywhere` | false | whether an `.emd` may name weights outside its own folder |
/// | `strict` | true | whether all weights must fit; only where they are loaded into a model that is built |
///
/// ```
/// use geolearn::models::LoadOptions;
/// use geolearn::{CycleGan, Device};
///
/// let options = LoadOptions::new().device(Device::Cpu);
/// let model = CycleGan::from_model_with("assets/models/sat2relief", options)?;
/// assert_eq!(model.device().torch(), geolearn::tch::Device::Cpu);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct LoadOptions {
    pub(super) data: Option<DataBunch>,
    pub(super) device: Device,
    weights_anywhere: bool,
    fit: Fit,
}

/// Which weights must match a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Fit {
    #[default]
    All,
    Some,
}

impl LoadOptions {
    /// Creates the default options.
    ///
    /// ```
    /// let options = geolearn::models::LoadOptions::new();
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the data to train on and to show results with.
    ///
    /// ```
    /// use geolearn::models::LoadOptions;
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let model = CycleGan::from_model_with("assets/models/sat2relief", LoadOptions::new().data(&data))?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn data(mut self, data: &DataBunch) -> Self {
        self.data = Some(data.clone());
        self
    }

    /// Sets the device to compute on.
    ///
    /// ```
    /// use geolearn::models::LoadOptions;
    /// use geolearn::{CycleGan, Device};
    ///
    /// let model = CycleGan::from_model_with("assets/models/sat2relief", LoadOptions::new().device(Device::Cpu))?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Allows the definition to name weights by an absolute path or above its folder. Use it only for files that you
    /// trust: whatever is at that path is opened and read, as a `.pth` and within the usual limits.
    ///
    /// ```
    /// let options = geolearn::models::LoadOptions::new().weights_anywhere(true);
    /// ```
    pub fn weights_anywhere(mut self, allowed: bool) -> Self {
        self.weights_anywhere = allowed;
        self
    }

    /// Sets whether every tensor of the file must match one of the model, and vice versa. With false, tensors with the
    /// same name and shape are loaded, the others stay as they are, and a [`LoadReport`](super::LoadReport) lists them;
    /// at least one must match. [`from_model`](crate::CycleGan::from_model) builds the networks that the file
    /// describes, so false is refused there. Default: true.
    ///
    /// ```
    /// let options = geolearn::models::LoadOptions::new().strict(false);
    /// ```
    pub fn strict(mut self, on: bool) -> Self {
        self.fit = if on { Fit::All } else { Fit::Some };
        self
    }

    pub(super) fn is_strict(&self) -> bool {
        self.fit == Fit::All
    }

    /// Refuses options that do not apply when a whole model is opened.
    pub(super) fn check_whole_model(&self) -> Result<()> {
        if self.is_strict() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "a model cannot be opened in part").found("LoadOptions::strict(false)").help(
            "Build a model with the options you want, and load matching weights with load_with or pretrained_with.",
        ))
    }

    /// Refuses options that do not apply when weights are loaded into an existing model.
    pub(super) fn check_weights_only(&self) -> Result<()> {
        let unused = if self.data.is_some() {
            "LoadOptions::data"
        } else if self.device != Device::Auto {
            "LoadOptions::device"
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Usage, "weights are loaded into a model that already has data and a device")
            .expected("only strict and weights_anywhere")
            .found(unused)
            .help("Set data and device when the model is built, or open the file with from_model_with."))
    }

    pub(super) fn reach(&self) -> Reach {
        if self.weights_anywhere { Reach::Anywhere } else { Reach::Folder }
    }
}
