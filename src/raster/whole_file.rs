//! Formats whose files are decoded as a whole. A panic in a decoder is reported as a damaged file.

use std::path::Path;

use super::budget::{Budget, Turn};
use super::byte_source::{ByteSource, Reader};
use super::image_format::{ImageFormat, OpenImage, ReadSamples};
use super::presentation::Presentation;
use super::{Limits, RasterInfo, Samples, ValiditySource};
use crate::error::{Error, ErrorKind, Result, caught};

/// A format whose parts cannot be decoded separately.
pub(super) trait WholeFile: Sync {
    /// Returns whether a file that begins with these bytes has this format.
    fn is_begun_by(opening: &[u8]) -> bool;

    /// Reads the header, starting at the first byte.
    fn header(path: &Path, reader: Reader<'_>) -> Result<(RasterInfo, Presentation)>;

    /// Decodes all samples of a file that had this metadata when it was opened.
    fn decode(path: &Path, bytes: &[u8], info: &RasterInfo) -> Result<Samples>;

    /// Returns the mask that a file contains in addition to its samples; most formats have none.
    fn mask(_source: &ByteSource, _info: &RasterInfo, _limits: &Limits) -> Option<Box<dyn ReadSamples>> {
        None
    }
}

impl<F: WholeFile> ImageFormat for F {
    fn probe(&self, opening: &[u8]) -> bool {
        F::is_begun_by(opening)
    }

    fn open(&self, source: &ByteSource, limits: &Limits) -> Result<OpenImage> {
        let path = source.path();
        let reader = source.reader(limits.max_file_bytes)?;
        let (mut info, presentation) = guarded(path, || F::header(path, reader))?;
        let mask = F::mask(source, &info, limits);
        info.mask = mask.as_ref().map(|_| ValiditySource::InternalMask).or(info.mask);
        let samples = Whole { source: source.clone(), info: info.clone(), limits: *limits, decode: F::decode };
        Ok(OpenImage { info, presentation: Some(presentation), samples: Box::new(samples), mask })
    }
}

/// An open file.
struct Whole {
    source: ByteSource,
    info: RasterInfo,
    limits: Limits,
    decode: fn(&Path, &[u8], &RasterInfo) -> Result<Samples>,
}

impl ReadSamples for Whole {
    fn read(&self) -> Result<(Samples, Turn<'static>)> {
        let (path, info) = (self.source.path(), &self.info);
        info.check_window(path, &self.limits, (0, 0, info.height, info.width))?;
        let bytes = (info.height * info.width * info.bands * info.dtype.bytes()) as u64;
        // Memory for the decoder and for the samples made from its output.
        let mut turn = Budget::process().turn(bytes.saturating_mul(2), self.limits.max_sample_bytes);
        let file = self.source.bytes(self.limits.max_file_bytes)?;
        let samples = guarded(path, || (self.decode)(path, &file, info))?;
        if (samples.shape(), samples.dtype()) != ((info.bands, info.height, info.width), info.dtype) {
            return Err(changed(path));
        }
        turn.shrink_to(bytes);
        Ok((samples, turn))
    }

    fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<(Samples, Turn<'static>)> {
        let (samples, turn) = self.read()?;
        let is_whole = (row, column, height, width) == (0, 0, self.info.height, self.info.width);
        Ok((if is_whole { samples } else { samples.crop(row, column, height, width) }, turn))
    }
}

/// Creates the error for a file that changed after it was opened.
pub(super) fn changed(path: &Path) -> Error {
    Error::new(ErrorKind::Format, "the file has changed since it was opened").at(path)
}

/// Runs a decoder; a panic becomes an error about the file.
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
