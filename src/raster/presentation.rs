//! Header information about how a picture is displayed.

use image::metadata::Orientation;

/// Determines how training sees a picture; other raster files do not have it.
#[derive(Debug, Clone)]
pub(super) struct Presentation {
    /// The orientation from EXIF.
    pub orientation: Orientation,
    /// Bits per sample in the file.
    pub bits: usize,
    /// Transparency in PNG: the opacity of each palette color, or a single color.
    pub transparent: Option<Vec<u8>>,
    pub gray: Gray,
}

/// How a format stores gray pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gray {
    /// As one band of samples.
    Samples,
    /// As indices into a palette of grays, if the format has no other way (BMP).
    Palette,
}

impl Default for Presentation {
    fn default() -> Self {
        Self { orientation: Orientation::NoTransforms, bits: 8, transparent: None, gray: Gray::Samples }
    }
}
