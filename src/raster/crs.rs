//! Coordinate reference systems, as files name them.

use std::fmt;

use super::epsg;

/// A coordinate reference system, as far as the file names it.
///
/// ```
/// use geolearn::raster::Crs;
///
/// assert_eq!(Crs::Epsg(32633).to_string(), "EPSG:32633");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Crs {
    /// A number in the EPSG registry.
    Epsg(u16),
    /// What the file says about a system of its own: the citation of its GeoKeys.
    Text(String),
}

impl Crs {
    /// Tells whether coordinates are degrees: of a number in the registry; of a text nobody knows.
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
