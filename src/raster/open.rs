//! From a file to a [`Raster`] in one call.

use std::path::Path;

use super::{Limits, Raster, RasterFile, chip};
use crate::error::Result;

impl Raster {
    /// Reads an image file within the default [`Limits`].
    ///
    /// The format (TIFF, PNG, JPEG, BMP; with the feature `gdal` also what GDAL reads) is told by the content, not by the
    /// name. Samples keep their type, from 8-bit
    /// integers to 64-bit floats; half precision becomes `float32`. A palette becomes colors.
    ///
    /// Of a PNG, JPEG or BMP, gray gives one band, color three; EXIF orientation is applied, and an alpha band is the mask of
    /// the others: see [`Raster::validity`]. Of a TIFF all bands are kept, for GDAL marks the fourth of four bytes as alpha
    /// even when it is near infrared. Where a mask tells which pixels have data, the nodata value does not, and is left out.
    ///
    /// ```
    /// use geolearn::{ErrorKind, Raster};
    ///
    /// let error = Raster::open("assets/bluemarble/README.md").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Format);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when the file cannot be read,
    /// [`ErrorKind::Format`](crate::ErrorKind::Format) when it is no image or is truncated or damaged,
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for a feature that this crate does not read, with its
    /// name, [`ErrorKind::Limits`](crate::ErrorKind::Limits) when it is larger than the limits allow.
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
    /// As [`Raster::open`].
    pub fn open_within(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        chip::whole(&RasterFile::open_within(path, limits)?)
    }
}
