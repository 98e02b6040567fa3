//! An RGB picture that can be saved, encoded or displayed.

use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use crate::error::{Error, ErrorKind, Result};
use crate::raster::Raster;

/// An RGB picture that can be saved, encoded, or displayed in a Jupyter notebook with the feature `evcxr` and the
/// kernel of that name.
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

    /// Saves the picture as PNG or JPEG, depending on the file extension. Replaces an existing file only once the new
    /// one is complete.
    ///
    /// # Errors
    /// `Usage` for another extension, `Io` if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Raster::from(self.image.clone()).save(path)
    }

    /// Encodes the picture as PNG.
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
    /// `Unsupported` if it cannot be encoded.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let (width, height) = self.image.dimensions();
        PngEncoder::new(&mut bytes)
            .write_image(&self.image, width, height, ExtendedColorType::Rgb8)
            .map_err(|e| Error::new(ErrorKind::Unsupported, "picture cannot be encoded").because(e))?;
        Ok(bytes)
    }

    /// Returns the pixels.
    pub fn as_rgb_image(&self) -> &RgbImage {
        &self.image
    }

    /// Returns the pixels without a copy.
    pub fn into_rgb_image(self) -> RgbImage {
        self.image
    }
}
