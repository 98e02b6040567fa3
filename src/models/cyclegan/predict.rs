//! Translating single images.

use std::path::Path;

use ndarray::Array3;

use super::CycleGan;
use crate::dataset::Domain;
use crate::error::Result;
use crate::inference;
use crate::raster::Raster;
use crate::train::Translator;

impl CycleGan {
    /// Translates an image file of domain A into domain B.
    ///
    /// # Shapes
    /// Any height and width; as many bands as A's chips. Gives an 8-bit image of the same height and width
    /// with B's bands, in B's own units.
    ///
    /// # Errors
    /// `Io`, `Format`, `Unsupported` or `Limits` for a file that cannot be read, `Usage` for a wrong number of
    /// bands.
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
    /// # Errors
    /// As [`predict_a2b`](Self::predict_a2b).
    pub fn predict(&self, path: impl AsRef<Path>, to: Domain) -> Result<Raster> {
        let path = path.as_ref();
        self.predict_image(&Raster::open(path)?, to).map_err(|error| error.at(path))
    }

    /// Translates an image in memory into domain `to`.
    ///
    /// # Errors
    /// `Usage` for a wrong number of bands, `Torch` when memory is short.
    pub fn predict_image(&self, image: &Raster, to: Domain) -> Result<Raster> {
        let [from, into] = [to.other(), to].map(|domain| &self.domain(domain).normaliser);
        inference::predict_raster(image, from, into, |x| self.translate(x, to))
    }

    /// Translates an array into domain `to`.
    ///
    /// # Shapes
    /// (bands, H, W) in the source domain's own units (such as 0 to 255) to (bands, H, W) in the target
    /// domain's own units, neither rounded nor cut.
    ///
    /// # Errors
    /// `Usage` for a wrong number of bands or an empty array, `Torch` when memory is short.
    pub fn predict_array(&self, image: &Array3<f32>, to: Domain) -> Result<Array3<f32>> {
        let [from, into] = [to.other(), to].map(|domain| &self.domain(domain).normaliser);
        inference::predict_array(image.view(), from, into, |x| self.translate(x, to))
    }
}
