//! What the crate asks of a format of raster files.

use super::budget::Turn;
use super::byte_source::ByteSource;
use super::presentation::Presentation;
use super::{Limits, RasterInfo, Samples};
use crate::error::Result;

/// A format that can be read.
pub(super) trait ImageFormat: Sync {
    /// Tells whether a file that begins with these bytes is of this format.
    fn probe(&self, opening: &[u8]) -> bool;

    /// Reads the header, and no more of the file than that takes.
    fn open(&self, source: &ByteSource, limits: &Limits) -> Result<OpenImage>;
}

/// An image whose header was read.
pub(super) struct OpenImage {
    /// What the file itself says.
    pub info: RasterInfo,
    /// How a picture is shown; none of a TIFF, whose samples are taken as they are.
    pub presentation: Option<Presentation>,
    pub samples: Box<dyn ReadSamples>,
    /// The mask that the file holds, of the same size; a pixel has no data where all bands of it are 0. `info` says so.
    pub mask: Option<Box<dyn ReadSamples>>,
}

/// Reads the samples of an open image, with the turn in which it was decoded.
pub(super) trait ReadSamples: Send + Sync {
    /// Reads the whole image.
    fn read(&self) -> Result<(Samples, Turn<'static>)>;

    /// Reads a part that lies within the image and the limits.
    fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<(Samples, Turn<'static>)>;
}
