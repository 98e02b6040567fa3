//! The one direction, with arcgis.learn's name.

use std::path::Path;

use super::Pix2Pix;
use crate::dataset::Domain;
use crate::error::Result;
use crate::raster::Raster;

impl Pix2Pix {
    /// Translates an image file of domain A into domain B; see [`CycleGan::predict_a2b`](crate::CycleGan::predict_a2b).
    ///
    /// ```
    /// use geolearn::{DatasetType, Pix2Pix, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble_test", DatasetType::Pix2Pix)?;
    /// let model = Pix2Pix::builder(&data).gen_levels(5).gen_features(4).disc_features(4).build()?;
    /// let relief = model.predict_a2b("assets/bluemarble_test/a/y0300_x3408.png")?;
    /// assert_eq!((relief.bands(), relief.height(), relief.width()), (3, 64, 64));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like that method, and `Unsupported` for an image that is too large for a U-Net to translate at once, because its
    /// tiles would need their own statistics: [`predict_raster`](Self::predict_raster) blends such tiles.
    pub fn predict_a2b(&self, path: impl AsRef<Path>) -> Result<Raster> {
        self.predict(path, Domain::B)
    }
}
