//! Formats of exported training data, named as in ArcGIS.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dataset::domain::Domain;

/// The file format of exported chips.
///
/// | Format | Bands and samples | Georeference | Nodata |
/// |---|---|---|---|
/// | `Tiff` | any | in the file | nodata value or mask, in the file |
/// | `Png` | 1 or 3 bands of 8 or 16 bits | `.pgw`, and the EPSG code in `.aux.xml` | nodata value in `.aux.xml`; chips with gaps defined only by a mask are left out |
/// | `Jpeg` | 1 or 3 bands of 8 bits, lossy | `.jgw`, `.aux.xml` | none: chips with gaps are left out |
///
/// ```
/// assert_eq!(geolearn::dataset::ChipFormat::default().to_string(), "TIFF");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChipFormat {
    /// GeoTIFF with deflate compression. The default.
    #[default]
    Tiff,
    /// PNG.
    Png,
    /// JPEG at quality 95.
    Jpeg,
}

impl ChipFormat {
    pub(super) fn ending(self) -> &'static str {
        match self {
            Self::Tiff => "tif",
            Self::Png => "png",
            Self::Jpeg => "jpg",
        }
    }
}

impl fmt::Display for ChipFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tiff => "TIFF",
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
        })
    }
}

/// The folder layout of exported training data, and the model that it is for.
///
/// ```
/// assert_eq!(geolearn::dataset::MetadataFormat::ExportTiles.to_string(), "Export_Tiles");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MetadataFormat {
    /// `A/images` and `B/images`, for CycleGAN: the scenes of the two domains need not show the same ground. The
    /// default.
    #[default]
    CycleGan,
    /// `images` and `images2`, for Pix2Pix: both domains have the same windows of the same ground, with the same file
    /// names.
    ExportTiles,
}

impl MetadataFormat {
    /// Returns the folder of a domain's chips.
    pub(super) fn folder(self, domain: Domain) -> &'static str {
        match (self, domain) {
            (Self::CycleGan, Domain::A) => "A/images",
            (Self::CycleGan, Domain::B) => "B/images",
            (Self::ExportTiles, Domain::A) => "images",
            (Self::ExportTiles, Domain::B) => "images2",
        }
    }

    pub(super) fn is_paired(self) -> bool {
        self == Self::ExportTiles
    }
}

impl fmt::Display for MetadataFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CycleGan => "CycleGAN",
            Self::ExportTiles => "Export_Tiles",
        })
    }
}
