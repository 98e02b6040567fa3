//! Polygons that limit where chips are cut.

use std::path::{Path, PathBuf};

use geo::orient::{Direction, Orient};
use geo::{Coord, LineString, MapCoords, MultiPolygon, Polygon, PreparedGeometry, Rect, Relate, unary_union};
use geojson::{GeoJson, Geometry, GeometryValue, Position};
use serde_json::{Map, Value};

use super::inputs::path_of;
use crate::dataset::scenes::SceneWindow;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Crs, Source};
use crate::store;

const MAX_BYTES: u64 = 256 << 20;
/// EPSG code of WGS 84 longitude and latitude.
const WGS_84: u16 = 4326;
/// Windows are shrunk by this fraction of a pixel, since polygon corners are seldom written with full precision.
const TOLERANCE: f64 = 1e-3;

/// The polygons of a file, and their CRS.
pub(super) struct MaskPolygons {
    path: PathBuf,
    polygons: MultiPolygon,
    system: u16,
}

/// The same polygons in pixels of a scene.
pub(super) struct PixelPolygons(PreparedGeometry<'static, MultiPolygon>);

impl MaskPolygons {
    /// Reads a GeoJSON file; touching or overlapping polygons are merged.
    ///
    /// # Errors
    /// [`ErrorKind::Format`] if the file is not GeoJSON, [`ErrorKind::Usage`] if it has no polygons or its CRS is not
    /// in the EPSG registry.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = store::read_capped(path, MAX_BYTES)?;
        Self::parse(path, &bytes).map_err(|error| error.at(path))
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let broken = |error: geojson::Error| Error::new(ErrorKind::Format, "polygons cannot be read").because(error);
        let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
        let file: GeoJson = text.parse().map_err(broken)?;
        let members = match &file {
            GeoJson::Geometry(geometry) => &geometry.foreign_members,
            GeoJson::Feature(feature) => &feature.foreign_members,
            GeoJson::FeatureCollection(collection) => &collection.foreign_members,
        };
        let system = system(members.as_ref())?;
        let mut polygons = Vec::new();
        match &file {
            GeoJson::Geometry(geometry) => gather(geometry, &mut polygons)?,
            GeoJson::Feature(feature) => {
                feature.geometry.iter().try_for_each(|geometry| gather(geometry, &mut polygons))?
            }
            GeoJson::FeatureCollection(collection) => {
                let mut geometries = collection.features.iter().filter_map(|feature| feature.geometry.as_ref());
                geometries.try_for_each(|geometry| gather(geometry, &mut polygons))?;
            }
        }
        if polygons.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "the file has no polygons").expected("polygons in GeoJSON"));
        }
        Ok(Self { path: path.to_path_buf(), polygons: unary_union(&polygons), system })
    }

    /// Returns the polygons in pixels of a scene.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if the scene has no transform, or has another CRS.
    pub fn in_pixels(&self, scene: &Source) -> Result<PixelPolygons> {
        let place = scene.place();
        let found = place.crs().map_or("none".to_string(), ToString::to_string);
        if place.crs() != Some(&Crs::Epsg(self.system)) || !place.has_transform() {
            let error = Error::new(ErrorKind::Usage, "mask polygons and scene have different reference systems")
                .at(&self.path)
                .expected(format!("{found}, of {}", path_of(scene).display()))
                .found(format!("EPSG:{}", self.system));
            return Err(match place.crs() {
                Some(Crs::Epsg(number)) if place.has_transform() => error.help(format!(
                    "Reproject the polygons: ogr2ogr -f GeoJSON -t_srs EPSG:{number} -lco RFC7946=NO polygons.geojson {}.",
                    self.path.display()
                )),
                _ => error.help("Give the scene a transform and a system of the EPSG registry: gdal_translate -a_srs EPSG:… -a_ullr …."),
            });
        }
        let polygons = self.polygons.map_coords(|Coord { x, y }| {
            let (x, y) = place.to_pixel(x, y);
            Coord { x, y }
        });
        Ok(PixelPolygons(PreparedGeometry::from(polygons)))
    }
}

impl PixelPolygons {
    /// Returns whether a window is completely within the polygons.
    pub fn hold(&self, window: SceneWindow) -> bool {
        let low = Coord { x: window.column as f64 + TOLERANCE, y: window.row as f64 + TOLERANCE };
        let high = Coord { x: window.right() as f64 - TOLERANCE, y: window.bottom() as f64 - TOLERANCE };
        self.0.relate(&Rect::new(low, high)).is_covers()
    }
}

/// Returns the EPSG code in the member `crs`, which GDAL writes; without it, WGS 84 as in RFC 7946.
fn system(members: Option<&Map<String, Value>>) -> Result<u16> {
    let Some(stated) = members.and_then(|members| members.get("crs")).filter(|stated| !stated.is_null()) else {
        return Ok(WGS_84);
    };
    let name = stated.pointer("/properties/name").and_then(Value::as_str).unwrap_or_default();
    if name.ends_with(":CRS84") {
        return Ok(WGS_84);
    }
    let is_epsg = name.to_ascii_uppercase().contains("EPSG:");
    let number = name.rsplit(':').next().and_then(|number| number.parse().ok());
    number.filter(|_| is_epsg).ok_or_else(|| {
        Error::new(ErrorKind::Usage, "the reference system of the polygons is not known")
            .expected("a name such as urn:ogc:def:crs:EPSG::32633 in the member `crs`, or no such member for WGS 84")
            .found(if name.is_empty() { stated.to_string() } else { name.to_string() })
    })
}

fn gather(geometry: &Geometry, polygons: &mut Vec<Polygon>) -> Result<()> {
    match &geometry.value {
        GeometryValue::Polygon { coordinates } => polygons.push(polygon(coordinates)?),
        GeometryValue::MultiPolygon { coordinates } => {
            for one in coordinates {
                polygons.push(polygon(one)?);
            }
        }
        GeometryValue::GeometryCollection { geometries } => {
            return geometries.iter().try_for_each(|geometry| gather(geometry, polygons));
        }
        other => {
            return Err(Error::new(ErrorKind::Usage, "mask polygons hold another geometry")
                .expected("polygons alone")
                .found(other.type_name()));
        }
    }
    Ok(())
}

/// Creates a polygon from rings of either orientation, because few programs follow the rule of RFC 7946. The conversion
/// in the `geojson` crate would panic at positions of one number.
fn polygon(rings: &[Vec<Position>]) -> Result<Polygon> {
    let point = |position: &Position| match position.as_slice() {
        &[x, y, ..] if x.is_finite() && y.is_finite() => Ok(Coord { x, y }),
        other => Err(Error::new(ErrorKind::Format, "polygons cannot be read")
            .expected("positions of two finite numbers or more")
            .found(format!("{other:?}"))),
    };
    let ring = |ring: &Vec<Position>| ring.iter().map(point).collect::<Result<Vec<_>>>().map(LineString::new);
    let mut rings = rings.iter().map(ring).collect::<Result<Vec<_>>>()?.into_iter();
    let outer = rings.next().unwrap_or_else(|| LineString::new(Vec::new()));
    Ok(Polygon::new(outer, rings.collect()).orient(Direction::Default))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Raster;
    use crate::raster::Place;
    use ndarray::Array3;

    fn scene(epsg: u16) -> Source {
        let place = Place::new([10.0, 0.0, 500.0, 0.0, -10.0, 4100.0]).with_epsg(epsg).unwrap();
        Source::of(Raster::new(Array3::<u8>::zeros((1, 40, 60))).unwrap().with_place(place))
    }

    fn parse(text: &str) -> Result<MaskPolygons> {
        MaskPolygons::parse("mask.geojson".as_ref(), text.as_bytes())
    }

    const UTM: &str = r#""crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32633"}}"#;

    fn rectangle(west: i32, south: i32, east: i32, north: i32) -> String {
        format!("[[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]]]")
    }

    /// Columns 10 to 30 in two touching parts with opposite orientation, with a hole at columns 14 to 16.
    #[test]
    fn windows_lie_within_polygons_that_touch() {
        let hole = r#"[[640,3940],[660,3940],[660,3960],[640,3960],[640,3940]]"#;
        let first = rectangle(600, 3900, 700, 4100);
        let first = format!("{},{hole}]", first.strip_suffix(']').unwrap());
        let feature = |coordinates: &str| {
            format!(
                r#"{{"type": "Feature", "properties": {{}}, "geometry": {{"type": "Polygon", "coordinates": {coordinates}}}}}"#
            )
        };
        let features = [feature(&first), feature(&rectangle(800, 3900, 700, 4100))].join(",");
        let text = format!(r#"{{"type": "FeatureCollection", {UTM}, "features": [{features}]}}"#);
        let polygons = parse(&text).unwrap().in_pixels(&scene(32633)).unwrap();
        for (window, expected) in [
            (SceneWindow::new(10, 0, 4, 20), true),
            (SceneWindow::new(16, 0, 14, 20), true),
            (SceneWindow::new(10, 0, 20, 14), true),
            (SceneWindow::new(10, 0, 20, 20), false),
            (SceneWindow::new(9, 0, 5, 5), false),
            (SceneWindow::new(26, 0, 5, 5), false),
            (SceneWindow::new(12, 13, 3, 3), false),
            (SceneWindow::new(16, 16, 4, 4), true),
        ] {
            assert_eq!(polygons.hold(window), expected, "{window}");
        }
        let error = parse(&text).unwrap().in_pixels(&scene(25833)).err().unwrap().to_string();
        assert!(error.contains("ogr2ogr") && error.contains("EPSG:25833") && error.contains("mask.geojson"), "{error}");
    }

    #[test]
    fn longitudes_and_latitudes_need_no_name() {
        let text = format!(r#"{{"type": "Polygon", "coordinates": {}}}"#, rectangle(500, 3900, 800, 4100));
        assert!(parse(&text).unwrap().in_pixels(&scene(4326)).unwrap().hold(SceneWindow::new(0, 0, 30, 20)));
        assert_eq!(parse(&text).unwrap().in_pixels(&scene(32633)).err().unwrap().kind(), ErrorKind::Usage);
    }

    #[test]
    fn what_is_no_polygon_is_an_error() {
        let of = |text: &str| parse(text).err().unwrap().kind();
        assert_eq!(of("{"), ErrorKind::Format);
        assert_eq!(of(r#"{"type": "Polygon", "coordinates": [[[1]]]}"#), ErrorKind::Format);
        assert_eq!(of(r#"{"type": "Point", "coordinates": [1, 2]}"#), ErrorKind::Usage);
        assert_eq!(of(r#"{"type": "FeatureCollection", "features": []}"#), ErrorKind::Usage);
        let own = r#"{"type": "Point", "coordinates": [1, 2], "crs": {"properties": {"name": "ESRI:54009"}}}"#;
        assert_eq!(of(own), ErrorKind::Usage);
    }

    proptest::proptest! {
        /// Any contents give either polygons or an error.
        #[test]
        fn damage_is_an_error(place in 0usize..200, byte in proptest::prelude::any::<u8>(), cut in 0usize..200) {
            let text = format!(r#"{{"type": "Polygon", {UTM}, "coordinates": {}}}"#, rectangle(500, 3900, 800, 4100));
            let mut bytes = text.into_bytes();
            bytes.truncate(cut);
            if let Some(damaged) = bytes.get_mut(place) {
                *damaged = byte;
            }
            if let Ok(polygons) = MaskPolygons::parse("mask.geojson".as_ref(), &bytes)
                && let Ok(polygons) = polygons.in_pixels(&scene(32633))
            {
                polygons.hold(SceneWindow::new(0, 0, 10, 10));
            }
        }
    }
}
