//! A picture that can be saved or handed on.

use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use crate::error::{Error, ErrorKind, Result};
use crate::raster::Raster;

/// An RGB picture: to be saved, encoded, or shown in a Jupyter notebook, where it shows itself with the feature `evcxr`
/// and the kernel of that name.
///
/// ```
/// use geolearn::{DatasetType, prepare_data};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let picture = data.show_batch(2)?;
/// let folder = tempfile::tempdir().unwrap();
/// picture.save(folder.path().join("batch.png"))?;
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Picture {
    image: RgbImage,
}

impl Picture {
    pub(crate) fn new(image: RgbImage) -> Self {
        Self { image }
    }

    /// Writes the picture as PNG or JPEG, as the name ends; an older file is replaced only by a whole one.
    ///
    /// # Errors
    /// `Usage` for another ending, `Io` when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Raster::from(self.image.clone()).save(path)
    }

    /// The picture as the bytes of a PNG file.
    ///
    /// ```
    /// use geolearn::{DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// assert!(data.show_batch(1)?.to_png()?.starts_with(b"\x89PNG"));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Unsupported` when it cannot be encoded.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let (width, height) = self.image.dimensions();
        PngEncoder::new(&mut bytes)
            .write_image(&self.image, width, height, ExtendedColorType::Rgb8)
            .map_err(|e| Error::new(ErrorKind::Unsupported, "picture cannot be encoded").because(e))?;
        Ok(bytes)
    }

    /// The pixels.
    pub fn as_rgb_image(&self) -> &RgbImage {
        &self.image
    }

    /// The pixels, without a copy.
    pub fn into_rgb_image(self) -> RgbImage {
        self.image
    }
}
