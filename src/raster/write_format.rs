//! The formats that this crate writes.

use std::fmt;
use std::path::Path;

use crate::store;

/// A format that [`Raster::to_bytes`](crate::Raster::to_bytes) can encode.
///
/// ```
/// assert_eq!(geolearn::raster::RasterFormat::GeoTiff.to_string(), "GeoTIFF");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RasterFormat {
    /// Any bands and samples, with georeference, nodata value, names, and scales.
    GeoTiff,
    /// One or three bands of 8 or 16 bits; stores only the samples.
    Png,
    /// One or three bands of 8 bits, at quality 95; stores only the samples, and is lossy.
    Jpeg,
}

impl RasterFormat {
    /// Returns the format for a file extension.
    pub(super) fn of_name(path: &Path) -> Option<Self> {
        match store::extension(path).as_str() {
            "tif" | "tiff" => Some(Self::GeoTiff),
            "png" => Some(Self::Png),
            "jpg" | "jpeg" => Some(Self::Jpeg),
            _ => None,
        }
    }
}

impl fmt::Display for RasterFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GeoTiff => "GeoTIFF",
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
        })
    }
}
