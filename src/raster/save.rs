//! Saves a [`Raster`] to a file.

use std::path::Path;

use super::{Raster, write};
use crate::error::Result;

impl Raster {
    /// Writes the image as GeoTIFF, PNG, or JPEG, depending on the file extension (`.tif`, `.png`, `.jpg`, …).
    ///
    /// GeoTIFF stores any bands and samples, with georeference, nodata value, names, and scales. Masked pixels are set
    /// to the nodata value if there is one; otherwise the file contains the mask, and is a cloud-optimized GeoTIFF, the
    /// only kind for which this crate writes masks. [`RasterWriter`](crate::raster::RasterWriter) has more options. PNG
    /// stores one or three bands of 8 or 16 bits, and JPEG (quality 95) one or three of 8 bits; both store only the
    /// samples, and a warning is logged if that drops a georeference, a nodata value, or a mask.
    ///
    /// The file is written under a temporary name and then renamed, so a failure leaves an existing file unchanged.
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
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for another extension,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for bands or samples that the format cannot store,
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write::save(self, path.as_ref())
    }
}
