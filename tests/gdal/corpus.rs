//! Reads the TIFFs of the corpus through GDAL by way of a VRT, and compares with rasterio.

use geolearn::raster::{Crs, RasterFile};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::*;

fn truth() -> Map<String, Value> {
    serde_json::from_slice(&std::fs::read(file("tests/fixtures/tiff/truth.json")).unwrap()).unwrap()
}

fn hash(samples: &Samples) -> String {
    Sha256::digest(samples.interleaved_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Covers all sample types, palettes, alpha, georeferences and nodata values. Excludes JPEG, whose decoders differ, and
/// files that the system's GDAL does not read, or reads differently from rasterio's newer one.
#[test]
fn a_vrt_of_a_tiff_is_as_the_tiff() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut dtypes = std::collections::BTreeSet::new();
    for (name, truth) in truth() {
        if truth.get("kind").is_some() || !name.ends_with(".tif") || name.contains("jpeg") {
            continue;
        }
        let (tiff, vrt) = (file("tests/fixtures/tiff").join(&name), folder.path().join(format!("{name}.vrt")));
        translate(&tiff, &vrt, "VRT", &[]);
        let read = RasterFile::open(&vrt).unwrap();
        let info = read.info();
        assert_eq!(json!([info.bands(), info.height(), info.width()]), json!([truth["count"], truth["h"], truth["w"]]));
        assert_eq!(info.dtype().name(), truth["dtype"], "{name}");
        assert_eq!(hash(&read.read().unwrap()), truth["sha256"], "{name}");
        assert_eq!(json!(info.place().transform()), truth["transform"], "{name}");
        assert_eq!(json!(info.band_names()), truth["descriptions"], "{name}");
        let nodata = truth["nodata"].as_str().map(|text| text.parse::<f64>().unwrap());
        assert_eq!(info.nodata().map(f64::to_bits), nodata.map(f64::to_bits), "{name}");
        assert_eq!(info.place().crs().is_some(), truth["has_crs"], "{name}");
        if let Some(number) = truth["epsg"].as_u64() {
            assert_eq!(info.place().crs(), Some(&Crs::Epsg(number as u16)), "{name}");
        }
        let ours = RasterFile::open(&tiff).unwrap();
        assert_eq!(info.palette(), ours.info().palette(), "{name}");
        assert_eq!(info.alpha_band(), ours.info().alpha_band(), "{name}");
        assert_eq!(info.place().pixel_is_point(), ours.info().place().pixel_is_point(), "{name}");
        let [of_vrt, of_tiff] = [&vrt, &tiff].map(|path| hash(Raster::open(path).unwrap().samples()));
        assert_eq!(of_vrt, of_tiff, "{name} as a chip");
        dtypes.insert(info.dtype());
    }
    assert!(dtypes.len() >= 7, "{dtypes:?}");
}

#[test]
fn control_points_stand_in_place_of_a_transform() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (tiff, vrt) = (file("tests/fixtures/geotiff/gcps.tif"), folder.path().join("gcps.vrt"));
    translate(&tiff, &vrt, "VRT", &[]);
    let (ours, theirs) = (RasterFile::open(&tiff).unwrap(), RasterFile::open(&vrt).unwrap());
    assert!(ours.info().place().has_control_points() && theirs.info().place().has_control_points());
    assert!(!theirs.info().place().has_transform());
    assert_eq!(ours.info().place().crs(), theirs.info().place().crs());
    // After writing again, both have the same control points.
    let written = |from: &Path, name: &str| {
        let to = folder.path().join(name);
        Raster::open(from).unwrap().save(&to).unwrap();
        let points: Vec<gdal::Gcp> = Dataset::open(to).unwrap().gcps().iter().map(gdal::Gcp::from).collect();
        points.iter().map(|point| [point.pixel, point.line, point.x, point.y, point.z]).collect::<Vec<_>>()
    };
    let (from_tiff, from_vrt) = (written(&tiff, "a.tif"), written(&vrt, "b.tif"));
    assert!(!from_tiff.is_empty() && from_tiff == from_vrt, "{from_tiff:?} {from_vrt:?}");
}

/// Only GDAL reads fax compression; sizes and sums are rasterio 1.4.4's.
#[test]
fn a_tiff_that_our_own_reader_refuses_is_left_to_gdal() {
    let _alone = alone();
    for (name, size, sum) in [
        ("b1_bilevel_ccittfax3.tif", (187, 235), 20_803.0),
        ("b1_bilevel_ccittfax4.tif", (100, 140), 14_000.0),
        ("b1_bilevel_ccittrle_tiled.tif", (187, 235), 20_803.0),
    ] {
        let read = RasterFile::open(file("tests/fixtures/tiff").join(name)).unwrap();
        assert_eq!((read.info().format(), read.info().bands()), ("GTiff", 1), "{name}");
        let samples = read.read().unwrap();
        assert_eq!((samples.shape(), samples.band(0).unwrap().sum()), ((1, size.0, size.1), sum), "{name}");
    }
    // If GDAL rejects a file too, the first error is kept, since it says what to do.
    let error = RasterFile::open(file("tests/fixtures/tiff/bad_compression.tif")).unwrap_err();
    assert_eq!(error.kind(), geolearn::ErrorKind::Unsupported);
    assert!(error.advice().unwrap().contains("gdal_translate"), "{error}");
}
