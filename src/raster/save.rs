//! From a [`Raster`] to a file in one call.

use std::path::Path;

use super::{Raster, write};
use crate::error::Result;

impl Raster {
    /// Writes the image as GeoTIFF, PNG or JPEG, as the name ends (`.tif`, `.png`, `.jpg`, …).
    ///
    /// A GeoTIFF holds any bands and samples, with place, nodata value, names and scales. Pixels that a mask leaves out get the
    /// nodata value where there is one; else the file holds the mask, and is cloud optimized, as other GeoTIFFs have no
    /// place for it here.
    /// [`RasterWriter`](crate::raster::RasterWriter) has options for it. PNG holds one or three bands of 8 or 16 bits, JPEG (quality
    /// 95) of 8; both leave out everything but samples, with a warning where that is a place, a nodata value or a mask.
    ///
    /// The file is written beside its place and renamed, so a failure leaves an older file as it was.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("copy.png");
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// chip.save(&path)?;
    /// assert_eq!(Raster::open(&path)?, chip);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for another ending,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for bands or samples that the format cannot hold,
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write::save(self, path.as_ref())
    }
}
