//! Converts errors of the library to errors about the file.

use std::path::Path;

use crate::error::{Error, ErrorKind};

pub(super) fn fault(path: &Path, error: tiff_writer::Error) -> Error {
    match error {
        tiff_writer::Error::Io(error) => Error::io("file cannot be written", path, error).help("Is the disk full?"),
        error => Error::new(ErrorKind::Unsupported, "this image cannot be written as TIFF").at(path).because(error),
    }
}
