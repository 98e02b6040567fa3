//! Where on the Earth an image lies.

use std::fmt;

/// A coordinate reference system, as far as the file names it.
///
/// ```
/// use geolearn::Crs;
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

impl fmt::Display for Crs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epsg(number) => write!(f, "EPSG:{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The georeference of an image.
///
/// ```
/// use geolearn::Place;
///
/// let nowhere = Place::default();
/// assert_eq!(nowhere.transform(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
/// assert!(!nowhere.has_transform());
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    pub(super) transform: Option<[f64; 6]>,
    pub(super) crs: Option<Crs>,
    pub(super) pixel_is_point: bool,
}

impl Place {
    /// From pixels to coordinates, in rasterio's order: x = a * column + b * row + c, y = d * column + e * row + f.
    ///
    /// (column, row) = (0, 0) is the outer corner of the first pixel, also where the file counts from pixel centres.
    /// The identity where the file has none.
    pub fn transform(&self) -> [f64; 6] {
        self.transform.unwrap_or([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    }

    /// Whether the file has a transform.
    pub fn has_transform(&self) -> bool {
        self.transform.is_some()
    }

    /// The coordinate reference system.
    pub fn crs(&self) -> Option<&Crs> {
        self.crs.as_ref()
    }

    /// Whether the file says that a sample is a point (GDAL's `AREA_OR_POINT=Point`).
    pub fn pixel_is_point(&self) -> bool {
        self.pixel_is_point
    }

    /// The place of a part that begins at (`row`, `column`).
    ///
    /// ```
    /// # use geolearn::Place;
    /// assert_eq!(Place::default().shifted(3, 5), Place::default());
    /// ```
    pub fn shifted(&self, row: usize, column: usize) -> Self {
        let shift = |[a, b, c, d, e, f]: [f64; 6]| {
            let (x, y) = (column as f64, row as f64);
            [a, b, a * x + b * y + c, d, e, d * x + e * y + f]
        };
        Self { transform: self.transform.map(shift), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_begins_at_its_own_corner() {
        let place = Place { transform: Some([8.0, 3.0, 500.0, 3.0, -8.0, 4100.0]), ..Place::default() };
        assert_eq!(place.shifted(10, 100).transform(), [8.0, 3.0, 1330.0, 3.0, -8.0, 4320.0]);
        assert!(!Place::default().shifted(1, 1).has_transform());
    }
}
