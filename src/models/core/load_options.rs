//! Options of opening a saved model.

use crate::dataset::DataBunch;
use crate::device::Device;
use crate::package::emd::Reach;

/// How [`CycleGan::from_model_with`](crate::CycleGan::from_model_with) opens a model.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `data` | none | data to train and to show results on; scaled by the model's own statistics |
/// | `device` | [`Device::Auto`] | where to compute |
/// | `weights_anywhere` | false | whether an `.emd` may name weights outside its own folder |
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
}

impl LoadOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Data to train and to show results on.
    pub fn data(mut self, data: &DataBunch) -> Self {
        self.data = Some(data.clone());
        self
    }

    /// Where to compute.
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Lets the definition name weights by an absolute path or above its folder. For files whose origin you trust:
    /// what is at that path is opened and read, as a `.pth` and with the same limits as ever.
    pub fn weights_anywhere(mut self, allowed: bool) -> Self {
        self.weights_anywhere = allowed;
        self
    }

    pub(super) fn reach(&self) -> Reach {
        if self.weights_anywhere { Reach::Anywhere } else { Reach::Folder }
    }
}
