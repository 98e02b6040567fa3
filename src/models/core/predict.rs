//! Translates single images.

use std::path::Path;

use ndarray::Array3;

use super::direction::Direction;
use super::learner::Learner;
use super::model::Model;
use super::predictor::Predictor;
use crate::dataset::Domain;
use crate::error::Result;
use crate::raster::Raster;

impl<M: Model> Learner<M> {
    /// Translates an image file of the other domain into domain `to`; see [`predict_a2b`](Self::predict_a2b).
    ///
    /// ```
    /// use geolearn::{CycleGan, Domain};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let satellite = model.predict("assets/bluemarble_test/b/y0300_x3408.png", Domain::A)?;
    /// assert_eq!(satellite.bands(), 3);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`predict_a2b`](Self::predict_a2b).
    pub fn predict(&self, path: impl AsRef<Path>, to: Domain) -> Result<Raster> {
        self.direction(to)?.predict(path.as_ref())
    }

    /// Translates an image in memory into domain `to`.
    ///
    /// ```
    /// use geolearn::{CycleGan, Domain, Raster};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let satellite = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?.resize(61, 30)?;
    /// let relief = model.predict_image(&satellite, Domain::B)?;
    /// assert_eq!((relief.height(), relief.width()), (30, 61));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Shapes
    /// (bands, H, W) of the other domain to (bands, H, W) of this one, in its sample type: integers are rounded and
    /// clipped to the type's range. Bands may come in any order if image and model name them. Samples with another
    /// scale or offset than the chips' are converted first; see `docs/data.md`.
    ///
    /// # Errors
    /// `Usage` for a wrong number of bands, `Limits` if memory is short.
    pub fn predict_image(&self, image: &Raster, to: Domain) -> Result<Raster> {
        self.direction(to)?.predict_image(image)
    }

    /// Translates images in memory into domain `to`. Images of one size go through the network together, which is
    /// faster for small ones. Each is translated with its own statistics, as in [`predict_image`](Self::predict_image).
    ///
    /// ```
    /// use geolearn::{CycleGan, Domain, Raster};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// let made = model.predict_images(&[chip.clone(), chip.resize(61, 30)?, chip], Domain::B)?;
    /// assert_eq!(made.iter().map(Raster::width).collect::<Vec<_>>(), [64, 61, 64]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Shapes
    /// Each image as for [`predict_image`](Self::predict_image), of any size; results are in the order of the images.
    ///
    /// # Errors
    /// Like [`predict_image`](Self::predict_image).
    pub fn predict_images(&self, images: &[Raster], to: Domain) -> Result<Vec<Raster>> {
        self.direction(to)?.predict_images(images)
    }

    /// Translates an array into domain `to`.
    ///
    /// ```
    /// use geolearn::{CycleGan, Domain};
    /// use ndarray::Array3;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let satellite = Array3::from_shape_fn((3, 40, 50), |(_, y, x)| (y * x % 256) as f32);
    /// let relief = model.predict_array(&satellite, Domain::B)?;
    /// assert_eq!(relief.dim(), (3, 40, 50));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Shapes
    /// (bands, H, W) in the source domain's own units (such as 0 to 255) to (bands, H, W) in the target domain's own
    /// units, neither rounded nor clipped. Pixels that are not finite in all bands have no data, and are NaN in the
    /// result.
    ///
    /// # Errors
    /// `Usage` for a wrong number of bands or an empty array, `Limits` if memory is short.
    pub fn predict_array(&self, image: &Array3<f32>, to: Domain) -> Result<Array3<f32>> {
        self.direction(to)?.predict_array(image)
    }

    /// Copies the generator that makes images of domain `to`, for threads to share; the model can be trained further
    /// meanwhile.
    ///
    /// ```
    /// use geolearn::{CycleGan, Domain};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let predictor = model.predictor(Domain::B)?;
    /// assert_eq!(predictor.domain(), Domain::B);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` for a generator that was never trained, `Torch` if memory is short.
    pub fn predictor(&self, to: Domain) -> Result<Predictor> {
        self.check_direction(to)?;
        let facts = |domain| self.domain(domain).clone();
        Predictor::copy_of(self.model.generator(to), facts(to.other()), (to, facts(to)), self.device.clone())
    }

    /// Returns the direction that makes images of domain `to`.
    pub(super) fn direction(&self, to: Domain) -> Result<Direction<'_>> {
        self.check_direction(to)?;
        let (from, made) = (self.domain(to.other()), self.domain(to));
        Ok(Direction { generator: self.model.generator(to), from, to: (to, made), device: &self.device })
    }
}
