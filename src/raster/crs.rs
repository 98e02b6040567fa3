//! Coordinate reference systems (CRS) as specified in files.

use std::fmt;

use super::epsg;

/// A coordinate reference system (CRS), as far as the file specifies it.
///
/// ```
/// use geolearn::raster::Crs;
///
/// assert_eq!(Crs::Epsg(32633).to_string(), "EPSG:32633");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crs {
    /// A code in the EPSG registry.
    Epsg(u16),
    /// The citation in the GeoKeys of a file that defines a custom CRS.
    Text(String),
}

impl Crs {
    /// Returns whether the CRS is geodetic according to its EPSG code; false for a citation.
    pub(crate) fn is_geodetic(&self) -> bool {
        matches!(self, Self::Epsg(number) if epsg::is_geodetic(*number))
    }
}

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epsg(number) => write!(f, "EPSG:{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}
