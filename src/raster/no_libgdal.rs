//! Replaces GDAL in a build without the feature `gdal`: recommends building with it.

use super::byte_source::ByteSource;
use super::image_format::OpenImage;
use super::{Limits, unknown_format};
use crate::error::{Error, ErrorKind, Result};

/// Returns the error for a file that no reader in this crate accepts.
pub(super) fn open(source: &ByteSource, _: &Limits) -> Result<OpenImage> {
    if !source.is_a_name() {
        return Err(unknown_format::error(source)?);
    }
    Err(Error::new(ErrorKind::Unsupported, "there is no such file; only GDAL may know what this names")
        .at(source.path())
        .expected("the path of a file")
        .help("Is it spelled right? Build geolearn with the feature `gdal`, or copy the image into a file."))
}

/// Returns the error for a file that a reader in this crate rejected.
pub(super) fn open_refused(source: &ByteSource, _: &Limits, refusal: Error) -> Result<OpenImage> {
    if source.file().is_none() {
        return Err(refusal);
    }
    let advice = refusal.advice().unwrap_or_default();
    let advice = format!("{advice} A build with the feature `gdal` has GDAL try such files.");
    Err(refusal.help(advice.trim_start()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::raster::RasterFile;

    #[test]
    fn the_feature_is_named_where_it_would_help() {
        let folder = tempfile::tempdir().unwrap();
        let jp2 = folder.path().join("scene.jp2");
        std::fs::write(&jp2, b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ").unwrap();
        let fax = Path::new("tests/fixtures/tiff/b1_bilevel_ccittfax4.tif");
        let url = Path::new("/vsicurl/https://example.org/scene.tif");
        for path in [jp2.as_path(), fax, url, Path::new("HDF5:a.h5:red")] {
            let error = RasterFile::open(path).unwrap_err();
            assert_eq!((error.kind(), error.path()), (ErrorKind::Unsupported, Some(path)));
            assert!(error.to_string().contains("with the feature `gdal`"), "{error}");
        }
    }
}
