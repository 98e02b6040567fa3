//! A picture that can be saved or handed on.

use std::path::Path;

use image::RgbImage;

use crate::error::Result;
use crate::raster::Raster;

/// An RGB picture.
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
    pub(super) fn new(image: RgbImage) -> Self {
        Self { image }
    }

    /// Writes the picture as PNG or JPEG, as the name ends; an older file is replaced only by a whole one.
    ///
    /// # Errors
    /// `Usage` for another ending, `Io` when the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        Raster::from(self.image.clone()).save(path)
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
