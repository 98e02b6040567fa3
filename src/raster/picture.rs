//! The one door to the decoders of pictures: PNG, JPEG and BMP, which have no place of their own.
//!
//! Opened by the header, read as a whole, samples as they are stored. A decoder that panics is a damaged file.

use std::io::{BufRead, Seek};
use std::path::Path;

use image::ImageFormat;
use image::metadata::Orientation;

use super::origin::Origin;
use super::{Limits, RasterInfo, Samples, bmp, jpeg, png};
use crate::error::{Error, ErrorKind, Result, caught};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Png,
    Jpeg,
    Bmp,
}

/// What a header says beside the facts of [`RasterInfo`].
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub format: Format,
    /// How EXIF says that the picture is to be turned.
    pub orientation: Orientation,
    /// Bits of a sample in the file.
    pub bits: usize,
    /// What PNG calls transparent: the opacity of each colour of a palette, or one colour.
    pub transparent: Option<Vec<u8>>,
}

impl Picture {
    pub fn plain(format: Format) -> Self {
        Self { format, orientation: Orientation::NoTransforms, bits: 8, transparent: None }
    }

    pub fn is_to_be_turned(&self) -> bool {
        self.orientation != Orientation::NoTransforms
    }

    /// Reads a header, and no more of the file than it takes.
    pub fn open(origin: &Origin, opening: &[u8], limits: &Limits) -> Result<(Self, RasterInfo)> {
        let path = origin.path();
        let format = Format::of(path, opening)?;
        let reader = origin.reader(limits.max_file_bytes)?;
        guarded(path, || header(path, format, reader))
    }

    /// Reads all samples of a file that said this when it was opened.
    pub fn read(&self, origin: &Origin, info: &RasterInfo, limits: &Limits) -> Result<Samples> {
        let path = origin.path();
        info.check_window(path, limits, (0, 0, info.height, info.width))?;
        let bytes = origin.bytes(limits.max_file_bytes)?;
        let samples = guarded(path, || self.decode(path, &bytes, info))?;
        match (samples.shape(), samples.dtype()) == ((info.bands, info.height, info.width), info.dtype) {
            true => Ok(samples),
            false => Err(changed(path)),
        }
    }

    fn decode(&self, path: &Path, bytes: &[u8], info: &RasterInfo) -> Result<Samples> {
        match self.format {
            Format::Png => png::read(path, bytes, info),
            Format::Jpeg => jpeg::read(path, bytes, info),
            Format::Bmp => bmp::read(path, bytes, info),
        }
    }
}

fn header(path: &Path, format: Format, reader: impl BufRead + Seek) -> Result<(Picture, RasterInfo)> {
    match format {
        Format::Png => png::header(path, reader),
        Format::Jpeg => jpeg::header(path, reader),
        Format::Bmp => bmp::header(path, reader),
    }
}

impl Format {
    /// What the bytes say the file is; its name may lie.
    fn of(path: &Path, opening: &[u8]) -> Result<Self> {
        if opening.is_empty() {
            return Err(Error::new(ErrorKind::Format, "the file is empty").at(path));
        }
        let wanted = |kind, what| Error::new(kind, what).at(path).expected("TIFF, PNG, JPEG or BMP");
        match image::guess_format(opening) {
            Ok(ImageFormat::Png) => Ok(Self::Png),
            Ok(ImageFormat::Jpeg) => Ok(Self::Jpeg),
            Ok(ImageFormat::Bmp) => Ok(Self::Bmp),
            Ok(other) => Err(wanted(ErrorKind::Unsupported, "this image format cannot be read")
                .found(format!("{other:?}"))
                .help("Convert the file, for example with gdal_translate -of GTiff.")),
            Err(_) => Err(wanted(ErrorKind::Format, "the file is not an image").found(shown(opening))),
        }
    }
}

/// The first bytes, for a message.
fn shown(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(8).map(|byte| format!("{byte:02x} ")).collect();
    format!("bytes {}", shown.trim_end())
}

pub(super) fn changed(path: &Path) -> Error {
    Error::new(ErrorKind::Format, "the file has changed since it was opened").at(path)
}

/// Runs a decoder; where it panics, the file is at fault.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    caught(decode).unwrap_or_else(|words| {
        Err(Error::new(ErrorKind::Format, "image file is damaged").at(path).found(words).help("Make or copy it again."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_is_a_damaged_file() {
        let error = guarded(Path::new("a.png"), || -> Result<()> { panic!("index out of bounds") }).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Format, Some(Path::new("a.png"))));
        assert!(error.to_string().contains("index out of bounds"), "{error}");
    }
}
