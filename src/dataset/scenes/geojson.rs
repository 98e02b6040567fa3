//! Writes windows as GeoJSON.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use super::window::SceneWindow;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Crs, Place};
use crate::store::Pending;

/// A window to write.
pub(super) struct PlacedWindow<'a> {
    pub scene: &'a Path,
    pub place: &'a Place,
    pub window: SceneWindow,
    /// "training" or "validation".
    pub split: &'static str,
    /// `None` for windows that are the same in all epochs.
    pub epoch: Option<u64>,
}

/// Writes windows as polygons in the coordinate reference system of their scenes, which the member `crs` names in the
/// form that GDAL reads (GeoJSON of 2008; RFC 7946 allows only WGS 84). Each line contains one window.
///
/// # Errors
/// `Usage` if a scene has no georeference, or a different CRS than the first one.
pub(super) fn write<'a>(windows: impl Iterator<Item = PlacedWindow<'a>>, path: &Path) -> Result<()> {
    let mut file = Pending::create(path)?;
    let failed = |e| Error::io("windows cannot be written", path, e);
    let mut first = None::<PlacedWindow<'a>>;
    for drawn in windows {
        check(&drawn, first.as_ref())?;
        let before = if first.is_none() { opening(drawn.place.crs()) } else { ",\n".to_owned() };
        write!(file, "{before}{}", feature(&drawn)).map_err(failed)?;
        first.get_or_insert(drawn);
    }
    let before = if first.is_none() { opening(None) } else { String::new() };
    writeln!(file, "{before}\n]}}").map_err(failed)?;
    file.finish()?.publish()
}

/// Returns everything before the first window.
fn opening(crs: Option<&Crs>) -> String {
    let crs = crs.map(|crs| json!({ "type": "name", "properties": { "name": name(crs) } }));
    let crs = crs.map(|crs| format!("\"crs\":{crs},")).unwrap_or_default();
    format!("{{\"type\":\"FeatureCollection\",{crs}\"features\":[\n")
}

fn check(drawn: &PlacedWindow<'_>, first: Option<&PlacedWindow<'_>>) -> Result<()> {
    if !drawn.place.has_transform() {
        return Err(Error::new(ErrorKind::Usage, "the place of the windows is not known")
            .at(drawn.scene)
            .expected("a georeferenced scene")
            .found("one without a transform"));
    }
    match first.filter(|first| first.place.crs() != drawn.place.crs()) {
        None => Ok(()),
        Some(first) => {
            let told = |place: &Place| place.crs().map_or_else(|| "none".to_owned(), Crs::to_string);
            Err(Error::new(ErrorKind::Usage, "a GeoJSON file has one coordinate reference system")
                .at(drawn.scene)
                .expected(format!("that of {}: {}", first.scene.display(), told(first.place)))
                .found(told(drawn.place)))
        }
    }
}

/// Returns the name that GDAL reads; a custom CRS has no name other than its text.
fn name(crs: &Crs) -> String {
    match crs {
        Crs::Epsg(number) => format!("urn:ogc:def:crs:EPSG::{number}"),
        Crs::Text(text) => text.clone(),
    }
}

fn feature(drawn: &PlacedWindow<'_>) -> Value {
    let [a, b, _, d, e, _] = drawn.place.transform();
    let at = |column: usize, row: usize| <[f64; 2]>::from(drawn.place.to_ground(column as f64, row as f64));
    let SceneWindow { column, row, .. } = drawn.window;
    let (right, bottom) = (drawn.window.right(), drawn.window.bottom());
    let mut ring = vec![at(column, row), at(column, bottom), at(right, bottom), at(right, row), at(column, row)];
    // Exterior rings are counterclockwise; the corners of an image that is mirrored on the ground are not.
    if a * e - b * d > 0.0 {
        ring.reverse();
    }
    json!({
        "type": "Feature",
        "properties": {
            "scene": drawn.scene.display().to_string(),
            "split": drawn.split,
            "epoch": drawn.epoch,
            "column": column,
            "row": row,
            "width": drawn.window.width,
            "height": drawn.window.height,
        },
        "geometry": { "type": "Polygon", "coordinates": [ring] },
    })
}
