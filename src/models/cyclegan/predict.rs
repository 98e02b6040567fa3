//! The two directions, with arcgis.learn's names.

use std::path::Path;

use super::CycleGan;
use crate::dataset::Domain;
use crate::error::Result;
use crate::raster::Raster;

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
    /// Any height and width; all the bands that A's files had, or only the used ones. If the file names its bands, those
    /// that the model knows by name are looked up. Returns an image with the same height, width and georeference, and with B's
    /// bands, in B's units and data type. Pixels without data in every band have none in the result: they hold B's nodata
    /// value, or NaN or 0 if it has none.
    ///
    /// # Errors
    /// `Io`, `Format`, `Unsupported` or `Limits` for a file that cannot be read, `Usage` for a wrong number of
    /// bands, `Limits` if there is not even memory for tiles.
    ///
    /// An image that does not fit into memory at once (about 768 bytes a pixel with the default 64 features) is translated in
    /// tiles with the statistics of the whole image, like [`predict_raster`](Self::predict_raster).
    pub fn predict_a2b(&self, path: impl AsRef<Path>) -> Result<Raster> {
        self.predict(path, Domain::B)
    }

    /// Translates an image file of domain B into domain A; see [`predict_a2b`](Self::predict_a2b).
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let satellite = model.predict_b2a("assets/bluemarble/B/images/y0300_x1236.png")?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`predict_a2b`](Self::predict_a2b).
    pub fn predict_b2a(&self, path: impl AsRef<Path>) -> Result<Raster> {
        self.predict(path, Domain::A)
    }
}
