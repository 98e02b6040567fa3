//! The supported formats. A file's format is determined by its contents, because its name may be wrong.

use super::Limits;
use super::bmp::Bmp;
use super::byte_source::ByteSource;
use super::image_format::{ImageFormat, OpenImage};
use super::jpeg::Jpeg;
use super::libgdal;
use super::png::Png;
use super::tiff::Tiff;
use super::unknown_format::OPENING_BYTES;
use crate::error::{ErrorKind, Result};

const FORMATS: [&dyn ImageFormat; 4] = [&Tiff, &Png, &Jpeg, &Bmp];

/// Opens an image of any format by its header. Files that no reader accepts are passed to GDAL, if it is built in.
pub(super) fn open(source: &ByteSource, limits: &Limits) -> Result<OpenImage> {
    let opening = source.opening(OPENING_BYTES)?;
    let Some(format) = FORMATS.into_iter().find(|format| format.probe(&opening)) else {
        return libgdal::open(source, limits);
    };
    match format.open(source, limits) {
        Err(refusal) if refusal.kind() == ErrorKind::Unsupported => libgdal::open_refused(source, limits, refusal),
        opened => opened,
    }
}
