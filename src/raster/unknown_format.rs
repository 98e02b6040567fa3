//! The error for a file that no reader in this crate accepts.

use std::path::Path;

use super::byte_source::ByteSource;
use crate::error::{Error, ErrorKind, Result};

/// Formats that need the feature, or another program.
#[cfg(not(feature = "gdal"))]
pub(super) const ADVICE: &str =
    "Build geolearn with the feature `gdal`, or convert the file, for example with gdal_translate -of GTiff.";
#[cfg(feature = "gdal")]
pub(super) const ADVICE: &str = "Convert the file, for example with gdal_translate -of GTiff.";

/// Enough for the signature of every format.
pub(super) const OPENING_BYTES: u64 = 64;

/// Signatures of formats that only GDAL reads.
const FOREIGN: [(&[u8], &str); 11] = [
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"<MRF_META", "MRF"),
    (b"<VRTDataset", "VRT"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x0e\x03\x13\x01", "HDF4"),
    (b"CDF\x01", "netCDF"),
    (b"CDF\x02", "netCDF"),
    (b"CDF\x05", "netCDF"),
    (b"EHFA_HEADER_TAG", "Erdas Imagine"),
    (b"NITF", "NITF"),
];

/// Returns the error for a file, based on its first bytes.
pub(super) fn error(source: &ByteSource) -> Result<Error> {
    Ok(about(&source.opening(OPENING_BYTES)?, source.path()))
}

fn about(opening: &[u8], path: &Path) -> Error {
    if opening.is_empty() {
        return Error::new(ErrorKind::Format, "the file is empty").at(path);
    }
    let wanted = |kind, what| Error::new(kind, what).at(path).expected("TIFF, PNG, JPEG or BMP");
    match name_of(opening) {
        Some(name) => wanted(ErrorKind::Unsupported, "this image format cannot be read").found(name).help(ADVICE),
        None => wanted(ErrorKind::Format, "the file is not an image").found(first_bytes(opening)),
    }
}

/// Returns the name of the format with this signature.
fn name_of(opening: &[u8]) -> Option<String> {
    let foreign = FOREIGN.iter().find(|(signature, _)| opening.starts_with(signature));
    let foreign = foreign.map(|(_, name)| (*name).to_owned());
    foreign.or_else(|| image::guess_format(opening).ok().map(|other| format!("{other:?}")))
}

/// Formats the first bytes for an error message.
fn first_bytes(bytes: &[u8]) -> String {
    let shown: String = bytes.iter().take(8).map(|byte| format!("{byte:02x} ")).collect();
    format!("bytes {}", shown.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_named_by_how_their_files_begin() {
        for (opening, name) in [
            (&b"\0\0\0\x0cjP  \r\n\x87\n\0\0"[..], "JPEG 2000"),
            (b"<MRF_META>\n  <Raster>", "MRF"),
            (b"<VRTDataset rasterXSize=\"2\"", "VRT"),
            (b"\x89HDF\r\n\x1a\n\0", "HDF5"),
            (b"GIF89a\0\0", "Gif"),
        ] {
            let error = about(opening, Path::new("a.x"));
            assert_eq!((error.kind(), error.finding()), (ErrorKind::Unsupported, Some(name)));
            assert_eq!(error.advice(), Some(ADVICE));
        }
        assert_eq!(about(b"", Path::new("a.x")).kind(), ErrorKind::Format);
        let error = about(b"# Data", Path::new("a.x"));
        assert_eq!((error.kind(), error.finding()), (ErrorKind::Format, Some("bytes 23 20 44 61 74 61")));
    }
}
