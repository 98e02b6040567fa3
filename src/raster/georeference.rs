//! The location of an image on the Earth.

use super::crs::Crs;
use super::geo_keys::{self, GeoKeys};
use super::rpc::Rpc;
use crate::error::{Error, ErrorKind, Result};

/// The georeference of an image.
///
/// A georeference read from a GeoTIFF keeps its GeoKeys, ground control points, and rational polynomial coefficients
/// (RPCs) unchanged, so that [`RasterWriter`](crate::raster::RasterWriter) writes a custom CRS exactly as it was.
///
/// ```
/// use geolearn::raster::Place;
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
    pub(super) keys: GeoKeys,
    /// Column, row, 0, x, y, z of each ground control point, if they are used instead of a transform.
    pub(super) control_points: Vec<[f64; 6]>,
    pub(super) rpc: Option<Rpc>,
}

impl Place {
    /// Creates a georeference from the six numbers of [`Place::transform`].
    ///
    /// ```
    /// use geolearn::raster::{Crs, Place};
    ///
    /// // Pixels of 10 m, north up; the north-western corner is at 399960 m east, 5300040 m north.
    /// let place = Place::new([10.0, 0.0, 399960.0, 0.0, -10.0, 5300040.0]).with_epsg(32633)?;
    /// assert_eq!(place.crs(), Some(&Crs::Epsg(32633)));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn new(transform: [f64; 6]) -> Self {
        Self { transform: Some(transform), ..Self::default() }
    }

    /// Returns the same georeference with the geographic or projected CRS that has this code in the EPSG registry.
    /// Coordinates are not converted. For a CRS with heights, GDAL reads the one without them; it reads no geocentric
    /// CRS.
    ///
    /// ```
    /// use geolearn::ErrorKind;
    /// use geolearn::raster::{Crs, Place};
    ///
    /// let place = Place::new([0.01, 0.0, 11.0, 0.0, -0.01, 48.0]);
    /// assert_eq!(place.clone().with_epsg(4326)?.crs(), Some(&Crs::Epsg(4326)));
    /// assert_eq!(place.with_epsg(32767).unwrap_err().kind(), ErrorKind::Usage);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a code outside 1024 to 32766, which GeoTIFF cannot store.
    pub fn with_epsg(self, number: u16) -> Result<Self> {
        if !geo_keys::is_registered(number) {
            return Err(Error::new(ErrorKind::Usage, "GeoTIFF has no room for this EPSG number")
                .expected("1024 to 32766")
                .found(number));
        }
        Ok(Self { crs: Some(Crs::Epsg(number)), keys: GeoKeys::of_epsg(number), ..self })
    }

    /// Returns the same georeference with samples that represent points (GDAL's `AREA_OR_POINT=Point`). The transform
    /// still refers to the outer corner.
    ///
    /// ```
    /// use geolearn::raster::Place;
    ///
    /// let heights = Place::new([30.0, 0.0, 0.0, 0.0, -30.0, 0.0]).with_pixel_is_point();
    /// assert!(heights.pixel_is_point());
    /// ```
    pub fn with_pixel_is_point(self) -> Self {
        Self { pixel_is_point: true, ..self }
    }

    /// Returns the transform from pixels to coordinates, in rasterio's order: x = a * column + b * row + c, y = d *
    /// column + e * row + f.
    ///
    /// (column, row) = (0, 0) is the outer corner of the first pixel, even if the file counts from pixel centers. If
    /// the file has no transform, this is the identity.
    pub fn transform(&self) -> [f64; 6] {
        self.transform.unwrap_or([1.0, 0.0, 0.0, 0.0, 1.0, 0.0])
    }

    /// Returns the coordinates (x, y) of the point `column` pixels from the left edge and `row` pixels below the upper one.
    pub(crate) fn to_ground(&self, column: f64, row: f64) -> (f64, f64) {
        let [a, b, c, d, e, f] = self.transform();
        (a * column + b * row + c, d * column + e * row + f)
    }

    /// Returns the column and row of the point at the coordinates `x` and `y`; not finite if the transform has no
    /// inverse.
    pub(crate) fn to_pixel(&self, x: f64, y: f64) -> (f64, f64) {
        let [a, b, c, d, e, f] = self.transform();
        let determinant = a * e - b * d;
        let (x, y) = (x - c, y - f);
        ((e * x - b * y) / determinant, (a * y - d * x) / determinant)
    }

    /// Returns whether the file has a transform.
    pub fn has_transform(&self) -> bool {
        self.transform.is_some()
    }

    /// Returns the coordinate reference system.
    pub fn crs(&self) -> Option<&Crs> {
        self.crs.as_ref()
    }

    /// Returns whether samples represent points (GDAL's `AREA_OR_POINT=Point`).
    pub fn pixel_is_point(&self) -> bool {
        self.pixel_is_point
    }

    /// Returns whether there are ground control points instead of a transform.
    pub fn has_control_points(&self) -> bool {
        !self.control_points.is_empty()
    }

    /// Returns whether there are rational polynomial coefficients (RPCs), which model the sensor geometry.
    pub fn has_rpc(&self) -> bool {
        self.rpc.is_some()
    }

    /// Returns the georeference of a part that begins at (`row`, `column`).
    ///
    /// ```
    /// # use geolearn::raster::Place;
    /// assert_eq!(Place::default().shifted(3, 5), Place::default());
    /// ```
    pub fn shifted(&self, row: usize, column: usize) -> Self {
        let shift = |[a, b, c, d, e, f]: [f64; 6]| {
            let (x, y) = (column as f64, row as f64);
            [a, b, a * x + b * y + c, d, e, d * x + e * y + f]
        };
        let rpc = self.rpc.as_ref().map(|rpc| rpc.shifted(row, column));
        let mut part = Self { transform: self.transform.map(shift), rpc, ..self.clone() };
        for point in &mut part.control_points {
            point[0] -= column as f64;
            point[1] -= row as f64;
        }
        part
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_begins_at_its_own_corner() {
        let place = Place::new([8.0, 3.0, 500.0, 3.0, -8.0, 4100.0]);
        assert_eq!(place.shifted(10, 100).transform(), [8.0, 3.0, 1330.0, 3.0, -8.0, 4320.0]);
        assert!(!Place::default().shifted(1, 1).has_transform());
        let warped = Place { control_points: vec![[150.0, 20.0, 0.0, 7.0, 8.0, 9.0]], ..Place::default() };
        assert_eq!(warped.shifted(10, 100).control_points, [[50.0, 10.0, 0.0, 7.0, 8.0, 9.0]]);
    }

    #[test]
    fn pixels_are_found_at_their_ground() {
        let place = Place::new([8.0, 3.0, 500.0, 3.0, -8.0, 4100.0]);
        assert_eq!(place.to_ground(100.0, 10.0), (1330.0, 4320.0));
        let (column, row) = place.to_pixel(1330.0, 4320.0);
        // Numbers of four digits in double precision.
        assert!((column - 100.0).abs() < 1e-9 && (row - 10.0).abs() < 1e-9, "{column} {row}");
        let (column, row) = Place::new([0.0; 6]).to_pixel(1.0, 1.0);
        assert!(!column.is_finite() && !row.is_finite());
    }
}
