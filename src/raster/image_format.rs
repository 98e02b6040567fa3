//! The interface of raster file formats.

use super::budget::Turn;
use super::byte_source::ByteSource;
use super::presentation::Presentation;
use super::{Limits, RasterInfo, Samples};
use crate::error::Result;

/// A format that can be read.
pub(super) trait ImageFormat: Sync {
    /// Returns whether a file that begins with these bytes has this format.
    fn probe(&self, opening: &[u8]) -> bool;

    /// Reads the header, and only as much of the file as that requires.
    fn open(&self, source: &ByteSource, limits: &Limits) -> Result<OpenImage>;
}

/// An image whose header was read.
pub(super) struct OpenImage {
    /// The metadata in the file itself.
    pub info: RasterInfo,
    /// How a picture is displayed; `None` for a TIFF, whose samples are used as they are.
    pub presentation: Option<Presentation>,
    pub samples: Box<dyn ReadSamples>,
    /// The mask in the file, of the same size; a pixel has no data if all bands of the mask are 0. `info` mentions it.
    pub mask: Option<Box<dyn ReadSamples>>,
}

/// Reads the samples of an open image, with the memory reservation for decoding.
pub(super) trait ReadSamples: Send + Sync {
    /// Reads the whole image.
    fn read(&self) -> Result<(Samples, Turn<'static>)>;

    /// Reads a part that is within the image and the limits.
    fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<(Samples, Turn<'static>)>;
}
