//! A predictor: one generator for programs that only translate.

use std::path::Path;

use ndarray::Array3;

use super::direction::Direction;
use crate::dataset::{Domain, DomainSpec};
use crate::device::ChosenDevice;
use crate::error::Result;
use crate::ffi::Frozen;
use crate::inference::{RasterOptions, RasterReport};
use crate::nn::{Network, Plan, copied};
use crate::raster::Raster;

/// One generator of a model, ready to translate, without other networks and training state. Threads can share it.
///
/// [`CycleGan::open_predictor`](crate::CycleGan::open_predictor) opens it from a saved model, and
/// [`CycleGan::predictor`](crate::CycleGan::predictor) copies it from one in memory. It translates exactly like the
/// model.
///
/// ```
/// use std::sync::Arc;
/// use std::thread;
///
/// use geolearn::{CycleGan, Device, Domain, Raster};
///
/// let predictor = Arc::new(CycleGan::open_predictor("assets/models/sat2relief", Domain::B, Device::Auto)?);
/// let satellite = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
/// let workers: Vec<_> = (0..2)
///     .map(|_| {
///         let (predictor, satellite) = (Arc::clone(&predictor), satellite.clone());
///         thread::spawn(move || predictor.predict_image(&satellite))
///     })
///     .collect();
/// for worker in workers {
///     let relief = worker.join().unwrap()?;
///     assert_eq!((relief.bands(), relief.height(), relief.width()), (3, 64, 64));
/// }
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug)]
pub struct Predictor {
    name: String,
    plan: Plan,
    weights: Frozen,
    from: DomainSpec,
    to: (Domain, DomainSpec),
    device: ChosenDevice,
}

impl Predictor {
    /// Creates a predictor from a generator.
    pub(super) fn new(
        generator: Network,
        from: DomainSpec,
        to: (Domain, DomainSpec),
        device: ChosenDevice,
    ) -> Result<Self> {
        let (name, plan) = (generator.name().to_owned(), generator.plan().clone());
        let detached = generator.parameters().into_iter().map(|(_, weight)| Ok(weight.f_detach()?));
        Ok(Self { name, plan, weights: Frozen::new(detached.collect::<Result<_>>()?), from, to, device })
    }

    /// Creates a predictor from a copy of a generator that may be trained further.
    pub(super) fn copy_of(
        generator: &Network,
        from: DomainSpec,
        to: (Domain, DomainSpec),
        device: ChosenDevice,
    ) -> Result<Self> {
        let copies = generator.parameters().into_iter().map(|(_, weight)| copied(&weight, device.torch()));
        let copies = copies.collect::<Result<_>>()?;
        Self::new(Network::with_weights(generator.name(), generator.plan().clone(), copies)?, from, to, device)
    }

    /// Returns the target domain.
    ///
    /// ```
    /// use geolearn::{CycleGan, Device, Domain};
    ///
    /// let predictor = CycleGan::open_predictor("assets/models/sat2relief", Domain::B, Device::Auto)?;
    /// assert_eq!(predictor.domain(), Domain::B);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn domain(&self) -> Domain {
        self.to.0
    }

    /// Returns the device that it computes on.
    ///
    /// ```
    /// use geolearn::{CycleGan, Device, Domain};
    ///
    /// let predictor = CycleGan::open_predictor("assets/models/sat2relief", Domain::B, Device::Auto)?;
    /// println!("{}", predictor.device()); // "cuda:0" or "cpu (…)"
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn device(&self) -> &ChosenDevice {
        &self.device
    }

    /// Translates an image file; see [`CycleGan::predict`](crate::CycleGan::predict).
    ///
    /// ```
    /// use geolearn::{CycleGan, Device, Domain};
    ///
    /// let predictor = CycleGan::open_predictor("assets/models/sat2relief", Domain::B, Device::Auto)?;
    /// let relief = predictor.predict("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!((relief.bands(), relief.height(), relief.width()), (3, 64, 64));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like that method.
    pub fn predict(&self, path: impl AsRef<Path>) -> Result<Raster> {
        self.with(|direction| direction.predict(path.as_ref()))
    }

    /// Translates an image in memory; see [`CycleGan::predict_image`](crate::CycleGan::predict_image).
    ///
    /// ```
    /// use geolearn::{CycleGan, Device, Domain, Raster};
    ///
    /// let predictor = CycleGan::open_predictor("assets/models/sat2relief", Domain::B, Device::Auto)?;
    /// let satellite = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!(predictor.predict_image(&satellite)?.bands(), 3);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like that method.
    pub fn predict_image(&self, image: &Raster) -> Result<Raster> {
        self.with(|direction| direction.predict_image(image))
    }

    /// Translates images in memory, which is faster than one by one if they are small; see
    /// [`CycleGan::predict_images`](crate::CycleGan::predict_images).
    ///
    /// ```
    /// use geolearn::{CycleGan, Device, Domain, Raster};
    ///
    /// let predictor = CycleGan::open_predictor("assets/models/sat2relief", Domain::B, Device::Auto)?;
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!(predictor.predict_images(&[chip.clone(), chip])?.len(), 2);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like that method.
    pub fn predict_images(&self, images: &[Raster]) -> Result<Vec<Raster>> {
        self.with(|direction| direction.predict_images(images))
    }

    /// Translates an array; see [`CycleGan::predict_array`](crate::CycleGan::predict_array).
    ///
    /// ```
    /// use geolearn::{CycleGan, Device, Domain};
    ///
    /// let predictor = CycleGan::open_predictor("assets/models/sat2relief", Domain::B, Device::Auto)?;
    /// let gray = ndarray::Array3::from_elem((3, 32, 48), 127.0);
    /// assert_eq!(predictor.predict_array(&gray)?.dim(), (3, 32, 48));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like that method.
    pub fn predict_array(&self, image: &Array3<f32>) -> Result<Array3<f32>> {
        self.with(|direction| direction.predict_array(image))
    }

    /// Translates a scene of any size, from a file to a GeoTIFF; see
    /// [`CycleGan::predict_raster`](crate::CycleGan::predict_raster).
    ///
    /// ```
    /// use geolearn::{CycleGan, Device, Domain, RasterOptions};
    ///
    /// let predictor = CycleGan::open_predictor("assets/models/sat2relief", Domain::B, Device::Auto)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let output = folder.path().join("relief.tif");
    /// let options = RasterOptions::new(Domain::B).window(0, 0, 64, 64).progress(false);
    /// let report = predictor.predict_raster("assets/scenes/bluemarble_asia.tif", &output, options)?;
    /// assert_eq!(report.pixels(), 64 * 64);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like that method, and `Usage` for options with the other target domain.
    pub fn predict_raster(
        &self,
        input: impl AsRef<Path>,
        output: impl AsRef<Path>,
        options: RasterOptions,
    ) -> Result<RasterReport> {
        self.with(|direction| direction.predict_raster(input.as_ref(), output.as_ref(), &options))
    }

    /// Runs `work` with this call's own handles of the weights.
    fn with<T>(&self, work: impl FnOnce(Direction<'_>) -> Result<T>) -> Result<T> {
        let generator = &Network::with_weights(&self.name, self.plan.clone(), self.weights.handles())?;
        work(Direction { generator, from: &self.from, to: (self.to.0, &self.to.1), device: &self.device })
    }
}
