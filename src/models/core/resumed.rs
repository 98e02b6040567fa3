//! Opens a model from a checkpoint.

use std::path::Path;

use super::learner::Learner;
use super::model::{Model, Start};
use super::translator::StoredConfiguration;
use crate::dataset::{DataBunch, PerDomain};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi;
use crate::train::{Translator, read_checkpoint};

impl<M: Model> Learner<M> {
    /// Opens a model from a checkpoint: networks, optimizer moments, image pools, history, configuration. It uses the
    /// first CUDA device that is available, or else the CPU.
    ///
    /// [`fit`](Self::fit) then starts a new schedule, with any options, from the current weights and moments. To
    /// continue the fit that wrote the checkpoint bit for bit, build the model in the same way and use
    /// [`FitOptions::resume`](crate::FitOptions::resume). The data is scaled like that of the checkpoint.
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, DatasetType, FitOptions, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::from_checkpoint("run1/best.safetensors", &data)?;
    /// model.fit(FitOptions::new(50).lr(1e-4))?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Io` or `Format` for a file that is not a complete checkpoint, `Usage` if data and model differ in bands.
    pub fn from_checkpoint(path: impl AsRef<Path>, data: &DataBunch) -> Result<Self> {
        Self::from_checkpoint_on(path, data, Device::Auto)
    }

    /// Opens a model like [`from_checkpoint`](Self::from_checkpoint), on the given device.
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, DatasetType, Device, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let model = CycleGan::from_checkpoint_on("run1/checkpoints/best.safetensors", &data, Device::Cpu)?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`from_checkpoint`](Self::from_checkpoint), and `Device` for a device that cannot be used.
    pub fn from_checkpoint_on(path: impl AsRef<Path>, data: &DataBunch, device: Device) -> Result<Self> {
        let path = path.as_ref();
        ffi::allowed();
        let contents = read_checkpoint(path)?;
        let unsound = || Error::new(ErrorKind::Format, "the checkpoint holds values that no model can have").at(path);
        let built: StoredConfiguration<M::Config> =
            StoredConfiguration::read(contents.configuration(), M::KIND).map_err(|error| error.at(path))?;
        M::check(&built.config).map_err(|e| unsound().because(e))?;
        let held = contents.state().tensors.iter().map(|(_, t)| t.numel() as u128).sum::<u128>();
        // Each parameter must be there with its two moments, before memory is allocated for it.
        let [expected, found] = [PerDomain::from_fn(|domain| data.channels(domain)), built.channels];
        if M::parameter_count(&built.config, found).saturating_mul(3) > held || found != expected {
            return Err(unsound()
                .expected(format!("the parameters of a model of {} and {} channels", expected.a, expected.b))
                .found(format!("{held} values for {} and {} channels", found.a, found.b)));
        }
        if !contents.history().is_sound() {
            return Err(unsound().expected("a history of finite losses"));
        }
        let its = &contents.data().domains;
        let domains = PerDomain::try_from_fn(|domain| its.get(domain).spec()).map_err(|e| unsound().because(e))?;
        let scaled = PerDomain::from_fn(|domain| domains.get(domain).normalizer.channels());
        if scaled != built.channels {
            return Err(unsound()
                .expected(format!("data of {} and {} channels", built.channels.a, built.channels.b))
                .found(format!("{} and {}", scaled.a, scaled.b)));
        }
        let scalings = PerDomain { a: domains.a.normalizer.clone(), b: domains.b.normalizer.clone() };
        let data = data.scaled_as(scalings).map_err(|e| e.at(path))?;
        let device = device.resolve()?;
        let mut learner = Self::assemble((built.config, Start::Zeros), domains, Some(data), device)?;
        learner.model.set_frozen(built.frozen_encoders);
        learner.restore(contents.state()).map_err(|e| e.at(path))?;
        learner.history = contents.history().clone();
        learner.with_batch_size_settled()
    }
}
