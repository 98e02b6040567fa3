//! What the header of a picture says about how it is shown.

use image::metadata::Orientation;

/// What training sees of a picture follows from this; other raster files have none of it.
#[derive(Debug, Clone)]
pub(super) struct Presentation {
    /// How EXIF says that the picture is to be turned.
    pub orientation: Orientation,
    /// Bits of a sample in the file.
    pub bits: usize,
    /// What PNG calls transparent: the opacity of each color of a palette, or one color.
    pub transparent: Option<Vec<u8>>,
    pub gray: Gray,
}

/// How a format stores gray pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gray {
    /// As one band of samples.
    Samples,
    /// As indices of a palette of grays, for lack of another way (BMP).
    Palette,
}

impl Default for Presentation {
    fn default() -> Self {
        Self { orientation: Orientation::NoTransforms, bits: 8, transparent: None, gray: Gray::Samples }
    }
}
