//! Opens a file as a [`Raster`].

use std::path::Path;

use super::{Limits, Raster, RasterFile, chip};
use crate::error::Result;

impl Raster {
    /// Reads an image file within the default [`Limits`].
    ///
    /// The format (TIFF, PNG, JPEG, BMP; with the feature `gdal` also GDAL's formats) is determined by the contents,
    /// not by the name. Samples keep their type, from 8-bit integers to 64-bit floats; half precision becomes
    /// `float32`. Palettes are converted to colors.
    ///
    /// In a PNG, JPEG, or BMP, gray becomes one band and color becomes three; EXIF orientation is applied, and an alpha
    /// band becomes a mask: see [`Raster::validity`]. In a TIFF, all bands are kept, because GDAL marks the fourth of
    /// four 8-bit bands as alpha even if it is near infrared. If a mask defines which pixels have data, the nodata
    /// value is ignored and dropped.
    ///
    /// ```
    /// use geolearn::{ErrorKind, Raster};
    ///
    /// let error = Raster::open("assets/bluemarble/README.md").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Format);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the file cannot be read,
    /// [`ErrorKind::Format`](crate::ErrorKind::Format) if it is not an image or is truncated or damaged,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a feature that this crate does not support, which
    /// the error names, [`ErrorKind::Limits`](crate::ErrorKind::Limits) if it exceeds the limits.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_within(path, &Limits::default())
    }

    /// Reads an image file within the given limits; see [`Raster::open`].
    ///
    /// ```
    /// use geolearn::raster::Limits;
    /// use geolearn::{ErrorKind, Raster};
    ///
    /// let small = Limits::default().max_pixels(1000);
    /// let error = Raster::open_within("assets/bluemarble/A/images/y0300_x0900.png", &small).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Limits);
    /// ```
    ///
    /// # Errors
    /// See [`Raster::open`].
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        chip::whole(&RasterFile::open_within(path, limits)?)
    }
}
