//! The formats that can be read. The content of a file tells which one it is; its name may lie.

use super::Limits;
use super::bmp::Bmp;
use super::byte_source::ByteSource;
use super::image_format::{ImageFormat, OpenImage};
use super::jpeg::Jpeg;
use super::png::Png;
use super::tiff::Tiff;
use crate::error::{Error, ErrorKind, Result};

const FORMATS: [&dyn ImageFormat; 4] = [&Tiff, &Png, &Jpeg, &Bmp];
/// Enough for the signature of every format.
const OPENING_BYTES: u64 = 64;

/// Opens an image of any of the formats by its header.
pub(super) fn open(source: &ByteSource, limits: &Limits) -> Result<OpenImage> {
    let opening = source.opening(OPENING_BYTES)?;
    match FORMATS.into_iter().find(|format| format.probe(&opening)) {
        Some(format) => format.open(source, limits),
        None => Err(unknown(&opening).at(source.path())),
    }
}

fn unknown(opening: &[u8]) -> Error {
    if opening.is_empty() {
        return Error::new(ErrorKind::Format, "the file is empty");
    }
    let wanted = |kind, what| Error::new(kind, what).expected("TIFF, PNG, JPEG or BMP");
    match image::guess_format(opening) {
        Ok(other) => wanted(ErrorKind::Unsupported, "this image format cannot be read")
            .found(format!("{other:?}"))
            .help("Convert the file, for example with gdal_translate -of GTiff."),
        Err(_) => wanted(ErrorKind::Format, "the file is not an image").found(first_bytes(opening)),
    }
}

/// Formats the first bytes for a message.
fn first_bytes(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(8).map(|byte| format!("{byte:02x} ")).collect();
    format!("bytes {}", shown.trim_end())
}
