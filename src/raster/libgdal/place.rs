//! The georeference according to GDAL.

use std::path::Path;

use gdal::spatial_ref::SpatialRef;
use gdal::{Dataset, Metadata};

use crate::raster::{Place, rpc, wkt};

/// Reads the georeference.
pub(super) fn of(dataset: &Dataset, path: &Path) -> Place {
    let transform = transform(dataset);
    let control_points = if transform.is_some() { Vec::new() } else { control_points(dataset) };
    let point = dataset.metadata_item("AREA_OR_POINT", "").is_some_and(|kind| kind.eq_ignore_ascii_case("Point"));
    let rpc = dataset.metadata_domain("RPC").unwrap_or_default();
    let rpc = rpc::of_metadata(rpc.iter().filter_map(|item| item.split_once('=')));
    let system = match control_points.is_empty() {
        true => dataset.spatial_ref().ok(),
        false => dataset.gcp_spatial_ref(),
    };
    let mut place = Place { transform, control_points, pixel_is_point: point, rpc, ..Place::default() };
    if let Some(text) = system.and_then(text) {
        wkt::put(&mut place, &text, path);
    }
    place
}

/// GDAL uses another order: x of the corner first.
fn transform(dataset: &Dataset) -> Option<[f64; 6]> {
    let [c, a, b, f, d, e] = dataset.geo_transform().ok()?;
    let transform = [a, b, c, d, e, f];
    transform.iter().all(|number| number.is_finite()).then_some(transform)
}

fn control_points(dataset: &Dataset) -> Vec<[f64; 6]> {
    dataset.gcps().iter().map(|point| [point.pixel(), point.line(), 0.0, point.x(), point.y(), point.z()]).collect()
}

/// Returns the EPSG code of a CRS if GDAL knows or recognizes it, otherwise its WKT.
fn text(mut system: SpatialRef) -> Option<String> {
    if system.auth_name().is_none() {
        // If nothing is recognized, the CRS is unchanged.
        system.auto_identify_epsg().ok();
    }
    let number = system.auth_code().ok().filter(|_| system.auth_name().is_some_and(|name| name == "EPSG"));
    number.map(|number| format!("EPSG:{number}")).or_else(|| system.to_wkt().ok())
}
