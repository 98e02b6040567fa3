//! Translating single images.

use std::path::Path;

use ndarray::Array3;

use super::{CycleGan, Selection};
use crate::dataset::Domain;
use crate::device::available_memory;
use crate::error::{Error, ErrorKind, Result};
use crate::inference;
use crate::raster::Raster;
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
    /// Any height and width; all the bands that A's files had, or those that were used of them. Gives an image of the
    /// same height, width and place with B's bands, in B's own units and type of samples. Where no band has data, the
    /// result has none: it holds B's nodata value, else NaN or 0.
    ///
    /// # Errors
    /// `Io`, `Format`, `Unsupported` or `Limits` for a file that cannot be read, `Usage` for a wrong number of
    /// bands, `Limits` for an image that needs more memory than there is (about 768 bytes a pixel with the default
    /// 64 features).
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
        let Selection { of, bands } = &self.domain(to.other()).selection;
        let image = Raster::open(path)?;
        let image = if image.bands() == *of { image.select(bands) } else { image };
        self.predict_image(&image, to).map_err(|error| error.at(path))
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
    /// cut to what the type can hold.
    ///
    /// # Errors
    /// `Usage` for a wrong number of bands, `Limits` when memory is short.
    pub fn predict_image(&self, image: &Raster, to: Domain) -> Result<Raster> {
        self.check_memory(image.height(), image.width())?;
        let [from, into] = [to.other(), to].map(|domain| &self.domain(domain).normaliser);
        let made = inference::predict_raster(image, from, into, |x| self.translate(x, to)).map_err(advise)?;
        Ok(made.with_optional_names(self.domain(to).band_names.clone()))
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
    /// domain's own units, neither rounded nor cut.
    ///
    /// # Errors
    /// `Usage` for a wrong number of bands or an empty array, `Limits` when memory is short.
    pub fn predict_array(&self, image: &Array3<f32>, to: Domain) -> Result<Array3<f32>> {
        let (_, height, width) = image.dim();
        self.check_memory(height, width)?;
        let [from, into] = [to.other(), to].map(|domain| &self.domain(domain).normaliser);
        inference::predict_array(image.view(), from, into, |x| self.translate(x, to)).map_err(advise)
    }

    /// The image goes through the network as a whole. On the processor a lack of memory would end the process; a
    /// CUDA device reports it.
    fn check_memory(&self, height: usize, width: usize) -> Result<()> {
        let needed = self.forward_bytes(height, width);
        match available_memory().filter(|_| !self.torch_device().is_cuda()) {
            Some(available) if needed > u128::from(available) => Err(Error::new(
                ErrorKind::Limits,
                format!("an image of {width} x {height} pixels needs too much memory"),
            )
            .expected(format!("at most the {} MiB that are free", available >> 20))
            .found(format!("about {} MiB", needed >> 20))
            .help(SMALLER)),
            _ => Ok(()),
        }
    }

    /// The first and last layers hold the most: input, convolution and norm of `gen_features` maps at full size.
    fn forward_bytes(&self, height: usize, width: usize) -> u128 {
        let floats = [height, width, self.config().gen_features].iter().fold(3u128, |n, &side| n * side as u128);
        floats * 4
    }
}

const SMALLER: &str = "Cut the image into pieces, or make it smaller.";

fn advise(error: Error) -> Error {
    if error.is_out_of_memory() { error.help(SMALLER) } else { error }
}
