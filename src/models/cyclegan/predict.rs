//! The two directions under the names that arcgis.learn gives them.

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
}
