//! Translating single images.

use std::path::Path;

use ndarray::Array3;

use super::CycleGan;
use crate::dataset::Domain;
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::inference::{self, Translation};
use crate::raster::{Conversion, Raster, Source};
use crate::train::Translator;

impl CycleGan {
    /// Translates an image file of domain A into domain B.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let relief = model.predict_a2b("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!((relief.bands(), relief.height(), relief.width()), (3, 64, 64));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Shapes
    /// Any height and width; all the bands that A's files had, or those that were used of them. Bands that the model
    /// knows by name are looked up in the file, where it names any. Gives an image of the
    /// same height, width and place with B's bands, in B's own units and type of samples. Where no band has data, the
    /// result has none: it holds B's nodata value, else NaN or 0.
    ///
    /// # Errors
    /// `Io`, `Format`, `Unsupported` or `Limits` for a file that cannot be read, `Usage` for a wrong number of
    /// bands, `Limits` when there is not even memory for tiles.
    ///
    /// An image that the network cannot take at once (about 768 bytes a pixel with the default 64 features) is translated
    /// in tiles with statistics of the whole, as [`predict_raster`](Self::predict_raster) does it.
    pub fn predict_a2b(&self, path: impl AsRef<Path>) -> Result<Raster> {
        self.predict(path, Domain::B)
    }

    /// Translates an image file of domain B into domain A; see [`predict_a2b`](Self::predict_a2b).
    ///
    /// # Errors
    /// As [`predict_a2b`](Self::predict_a2b).
    pub fn predict_b2a(&self, path: impl AsRef<Path>) -> Result<Raster> {
        self.predict(path, Domain::A)
    }

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
    /// As [`predict_a2b`](Self::predict_a2b).
    pub fn predict(&self, path: impl AsRef<Path>, to: Domain) -> Result<Raster> {
        let path = path.as_ref();
        let source = self.source(path, to.other())?;
        let (height, width) = source.size();
        let image = source.window(0, 0, height, width)?;
        self.made(&image, to).map_err(|error| error.at(path))
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
    /// (bands, H, W) of the other domain to (bands, H, W) of this one, in its type of samples: integers are rounded, and
    /// cut to what the type can hold. Bands may come in any order where image and model name them. Samples of another
    /// scale or offset than the chips had are converted first; see `docs/data.md`.
    ///
    /// # Errors
    /// `Usage` for a wrong number of bands, `Limits` when memory is short.
    pub fn predict_image(&self, image: &Raster, to: Domain) -> Result<Raster> {
        let order = self.domain(to.other()).selection.order_in(image.band_names());
        let image = match order {
            Some(order) => &image.clone().select(&order),
            None => image,
        };
        let from = self.domain(to.other());
        let converted = match from.conversion(image.dtype(), image.band_scales(), None) {
            Conversion::Needed => Some(image.in_scales(&from.band_scales)),
            _ => None,
        };
        self.made(converted.as_ref().unwrap_or(image), to)
    }

    /// The translation of an image whose bands and scales are those of the chips.
    fn made(&self, image: &Raster, to: Domain) -> Result<Raster> {
        let made = self.domain(to);
        let result = inference::translate_image(&self.translation(to, Precision::F32)?, image).map_err(advise)?;
        Ok(result.with_optional_names(made.band_names.clone()).with_band_scales(made.band_scales.iter().copied()))
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
    /// (bands, H, W) in the source domain's own units (such as 0 to 255) to (bands, H, W) in the target
    /// domain's own units, neither rounded nor cut. What is not finite in all bands has no data, and is NaN in the
    /// result.
    ///
    /// # Errors
    /// `Usage` for a wrong number of bands or an empty array, `Limits` when memory is short.
    pub fn predict_array(&self, image: &Array3<f32>, to: Domain) -> Result<Array3<f32>> {
        let translation = Translation { exact: true, ..self.translation(to, Precision::F32)? };
        let made = inference::translate_image(&translation, &Raster::new(image.clone())?).map_err(advise)?;
        self.warn_of_coarse_values(to);
        Ok(made.samples().to_f32())
    }

    /// Single precision has 24 bits, which a small range far from 0 leaves few of.
    fn warn_of_coarse_values(&self, to: Domain) {
        let scaling = &self.domain(to).normaliser;
        for (band, (&min, &max)) in scaling.min().iter().zip(scaling.max()).enumerate() {
            let step = f64::from(f32::EPSILON) * min.abs().max(max.abs());
            if max > min && step > (max - min) / COARSE {
                tracing::warn!(
                    "band {} of domain {to} has values from {min} to {max}, of which f32 keeps steps of {step:.0e}; \
                     CycleGan::predict_image gives them in the domain's own type",
                    band + 1
                );
            }
        }
    }

    /// An image file of domain `from`: the bands of it that the model uses.
    pub(super) fn source(&self, path: &Path, from: Domain) -> Result<Source> {
        let from = self.domain(from);
        let source = Source::open(path)?;
        let source = match from.selection.in_image(source.band_names()).map_err(|error| error.at(path))? {
            Some(bands) => source.select(&bands),
            None => source,
        };
        source.check_bands(from.normaliser.bands())?;
        Ok(match from.conversion(source.dtype(), &source.band_scales(), Some(path)) {
            Conversion::Needed => source.in_scales(from.band_scales.clone()),
            _ => source,
        })
    }

    /// What makes images of domain `to`.
    pub(super) fn translation(&self, to: Domain, precision: Precision) -> Result<Translation<'_>> {
        self.check_trained(to)?;
        let precision = precision.on(self.torch_device())?;
        precision.log_fallback(self.torch_device());
        Ok(Translation {
            generator: self.nets.generator(to),
            from: &self.domain(to.other()).normaliser,
            to: &self.domain(to).normaliser,
            chip: self.domain(to.other()).chip,
            device: self.torch_device(),
            precision,
            exact: false,
        })
    }
}

/// Fewer steps than bytes have are few.
const COARSE: f64 = 256.0;
const SMALLER: &str = "Make the image smaller, or write it to a file and use CycleGan::predict_raster.";

fn advise(error: Error) -> Error {
    if error.is_out_of_memory() { error.help(SMALLER) } else { error }
}
