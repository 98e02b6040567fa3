//! Converts GDAL errors to errors of this crate.

use std::path::Path;
use std::sync::Once;

use gdal::config::set_error_handler;
use gdal::errors::{CplErrType, GdalError};

use crate::error::{Error, ErrorKind};
use crate::raster::libgdal_name;

/// The longest message that is passed on; some of GDAL's quote files.
const CHARACTERS: usize = 400;

/// Sends GDAL's warnings to `tracing` instead of standard error. Failures are also returned as errors.
pub(super) fn pass_messages_on() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_error_handler(|class, number, words| message(class, number, &printable(words))));
}

fn message(class: CplErrType, number: i32, words: &str) {
    match class {
        CplErrType::Warning => tracing::warn!(number, "GDAL: {words}"),
        CplErrType::None | CplErrType::Debug => tracing::trace!(number, "GDAL: {words}"),
        CplErrType::Failure | CplErrType::Fatal => tracing::debug!(number, "GDAL: {words}"),
    }
}

/// Creates the error for a name without a dataset.
pub(super) fn not_opened(path: &Path, error: GdalError) -> Error {
    let error = Error::new(kind(path), "GDAL cannot open this").at(path).because(text(error));
    match libgdal_name::is_one(path) {
        true => error.help("Is the name right, and what it leads to in reach?"),
        false => error.help("Is it an image? `gdalinfo --formats` lists what this GDAL reads."),
    }
}

/// Creates the error for samples or a header that GDAL could not read.
pub(super) fn not_read(path: &Path, error: GdalError) -> Error {
    Error::new(kind(path), "GDAL cannot read this image").at(path).because(text(error))
}

/// Creates the error for a panic in a decoder.
pub(super) fn damaged(path: &Path, words: String) -> Error {
    Error::new(ErrorKind::Format, "image file is damaged").at(path).found(printable(&words))
}

/// If the file exists, it is itself at fault; another name may refer to a network resource.
fn kind(path: &Path) -> ErrorKind {
    if libgdal_name::is_one(path) { ErrorKind::Io } else { ErrorKind::Format }
}

fn text(error: GdalError) -> String {
    match error {
        GdalError::CplError { msg, .. } | GdalError::NullPointer { msg, .. } if !msg.is_empty() => printable(&msg),
        other => printable(&other.to_string()),
    }
}

/// Returns text that may come from a file, in printable form.
pub(super) fn printable(words: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    words.trim().chars().take(CHARACTERS).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_gdal_are_kept() {
        let failed = |msg: &str| GdalError::NullPointer { method_name: "GDALOpenEx", msg: msg.into() };
        let error = not_opened(Path::new("assets/scenes/README.md"), failed("not\nrecognized"));
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains("README.md: GDAL cannot open this (not recognized)"), "{error}");
        let error = not_opened(Path::new("/vsizip/a.zip/b.tif"), failed(""));
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("GDALOpenEx"), "{error}");
    }
}
