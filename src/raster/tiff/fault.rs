//! Classifies the errors of the decoder.

use std::io;
use std::path::Path;

use tiff_reader::TiffError;

use crate::error::{Error, ErrorKind, caught};

/// An error about a TIFF, without the name of the file.
#[derive(Debug)]
pub(super) struct Fault {
    kind: ErrorKind,
    found: String,
    /// Advice, if it is not the same for all errors of the kind.
    help: Option<&'static str>,
}

impl Fault {
    fn new(kind: ErrorKind, found: impl Into<String>) -> Self {
        Self { kind, found: found.into(), help: None }
    }

    pub fn format(found: impl Into<String>) -> Self {
        Self::new(ErrorKind::Format, found)
    }

    pub fn unsupported(found: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, found)
    }

    pub fn limits(found: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limits, found)
    }

    pub fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }

    pub fn at(self, path: &Path) -> Error {
        let (what, help) = match self.kind {
            ErrorKind::Unsupported => (
                "this kind of TIFF cannot be read",
                "Convert it: gdal_translate -co COMPRESS=DEFLATE -co PHOTOMETRIC=MINISBLACK in.tif out.tif.",
            ),
            ErrorKind::Limits => (
                "TIFF file asks for too much memory",
                "If it is to be trusted, allow more with Limits::max_sample_bytes.",
            ),
            ErrorKind::Io => ("TIFF file cannot be read", "Is the disk or network in order?"),
            _ => ("TIFF file is truncated or damaged", "Make or copy it again; gdalinfo -checksum shows what is left."),
        };
        Error::new(self.kind, what).at(path).found(self.found).help(self.help.unwrap_or(help))
    }
}

impl From<TiffError> for Fault {
    fn from(error: TiffError) -> Self {
        use std::io::ErrorKind::UnexpectedEof;
        let found = error.to_string();
        match error {
            TiffError::Io(source, _) if source.kind() != UnexpectedEof => Self::new(ErrorKind::Io, found),
            TiffError::UnsupportedCompression(_)
            | TiffError::UnsupportedPredictor(_)
            | TiffError::UnsupportedPlanarConfiguration(_)
            | TiffError::UnsupportedBitsPerSample(_)
            | TiffError::UnsupportedSampleFormat(_) => Self::unsupported(found),
            // The decoder has no error kind for these.
            TiffError::InvalidImageLayout(_) if found.contains("not supported") => Self::unsupported(found),
            TiffError::InvalidTagValue { .. } if found.contains("parse budget") => Self::limits(found),
            TiffError::DecodeOutputTooLarge { .. } | TiffError::DecodeOutputAllocationFailed { .. } => {
                Self::limits(found)
            }
            _ => Self::format(found),
        }
    }
}

/// Decoders pass on errors of reading the file; their own errors are about its contents.
impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        let found = error.to_string();
        match error.into_inner().map(|inner| inner.downcast::<TiffError>()) {
            Some(Ok(inner)) => (*inner).into(),
            _ => Self::format(found),
        }
    }
}

/// Runs the decoder; a panic becomes an error about the file.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    caught(decode).unwrap_or_else(|words| Err(Fault::format(format!("something that stops the decoder: {words}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_decoder_is_an_error_of_the_file() {
        let fault = guarded::<()>(|| panic!("index {}", 7)).unwrap_err();
        let error = fault.at(Path::new("a.tif"));
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains("index 7"), "{error}");
    }
}
