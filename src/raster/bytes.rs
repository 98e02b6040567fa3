//! Reads images from bytes and encodes them to bytes without files, for example in a web service.

use std::path::Path;

use super::byte_source::IN_MEMORY;
use super::{Limits, Raster, RasterFile, RasterFormat, chip, write};
use crate::error::{Error, Result};

impl Raster {
    /// Reads an image from the bytes of a file, within the default [`Limits`]. Behaves like [`Raster::open`], except
    /// that formats read by GDAL are not supported, since they may refer to other files.
    ///
    /// Files that could be next to it (`.aux.xml`, a world file) are not used. The bytes are copied once.
    ///
    /// ```
    /// use geolearn::Raster;
    ///
    /// let path = "assets/bluemarble/A/images/y0300_x0900.png";
    /// let chip = Raster::from_bytes(std::fs::read(path)?)?;
    /// assert_eq!(chip, Raster::open(path)?);
    /// assert!(Raster::from_bytes(b"no image").unwrap_err().to_string().starts_with("in memory: "));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`Raster::open`]; the file is called "in memory".
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Result<Self> {
        Self::from_bytes_within(bytes, &Limits::default())
    }

    /// Reads an image from the bytes of a file, within the given limits; see [`Raster::from_bytes`].
    ///
    /// ```
    /// use geolearn::raster::Limits;
    /// use geolearn::{ErrorKind, Raster};
    ///
    /// let bytes = std::fs::read("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// let error = Raster::from_bytes_within(&bytes, &Limits::default().max_pixels(1000)).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Limits);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`Raster::from_bytes`].
    pub fn from_bytes_within(bytes: impl AsRef<[u8]>, limits: &Limits) -> Result<Self> {
        let file = RasterFile::in_memory(bytes.as_ref(), limits);
        file.and_then(|file| chip::whole(&file)).map_err(Error::in_memory)
    }

    /// Encodes the image to the bytes of the file that [`Raster::save`] would write.
    ///
    /// ```
    /// use geolearn::raster::RasterFormat;
    /// use geolearn::{ErrorKind, Raster};
    /// use ndarray::Array3;
    ///
    /// let scene = Raster::new(Array3::<u16>::from_elem((13, 20, 30), 700))?.with_nodata(0.0);
    /// assert_eq!(Raster::from_bytes(scene.to_bytes(RasterFormat::GeoTiff)?)?, scene);
    /// let error = scene.to_bytes(RasterFormat::Png).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Unsupported);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported) for bands or samples that the format cannot store,
    /// [`ErrorKind::Limits`](crate::ErrorKind::Limits) for more tiles than can be read back.
    pub fn to_bytes(&self, format: RasterFormat) -> Result<Vec<u8>> {
        write::encoded(self, format, Path::new(IN_MEMORY)).map_err(Error::in_memory)
    }
}
