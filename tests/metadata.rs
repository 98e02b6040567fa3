//! Tests that metadata in tags and in `.aux.xml` equals what rasterio reads: `tests/fixtures/metadata` with
//! `truth.json`.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

use std::path::{Path, PathBuf};

use geolearn::Raster;
use geolearn::dataset::Normalizer;
use geolearn::raster::{BandScale, Crs, RasterFile};
use serde_json::{Map, Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/metadata")
}

fn truth() -> Map<String, Value> {
    serde_json::from_str(&std::fs::read_to_string(folder().join("truth.json")).unwrap()).unwrap()
}

/// Converts to the format of rasterio's answer.
fn nodata(truth: &Value) -> Option<f64> {
    truth["nodata"][0].as_str().map(|text| text.parse().unwrap())
}

#[test]
fn headers_say_what_rasterio_says() {
    // Integers that f64 cannot represent: the largest are kept, although rasterio reports none; the other is ignored.
    let wide = [
        ("nodata_widest.tif", Some(i64::MAX as f64)),
        ("nodata_widest_unsigned.tif", Some(u64::MAX as f64)),
        ("nodata_wide_lost.tif", None),
    ];
    for (name, truth) in truth() {
        let file = RasterFile::open(folder().join(&name)).unwrap();
        let info = file.info();
        match wide.iter().find(|(wide, _)| *wide == name) {
            Some((_, expected)) => assert_eq!(info.nodata(), *expected, "{name}"),
            None => assert_eq!(info.nodata(), nodata(&truth), "{name}"),
        }
        assert_eq!(json!(info.band_names()), truth["names"], "{name}");
        let numbers = |of: fn(&BandScale) -> f64| json!(info.band_scales().iter().map(of).collect::<Vec<_>>());
        assert_eq!(
            (numbers(|b| b.scale), numbers(|b| b.offset)),
            (truth["scales"].clone(), truth["offsets"].clone()),
            "{name}"
        );
        assert_eq!(json!(info.place().transform()), truth["transform"], "{name}");
        let epsg = match info.place().crs() {
            Some(Crs::Epsg(number)) => json!(number),
            _ => Value::Null,
        };
        let stated = if truth["gcps_epsg"].is_null() { &truth["epsg"] } else { &truth["gcps_epsg"] };
        assert_eq!(&epsg, stated, "{name}");
        assert_eq!(info.place().has_control_points(), truth["gcps"] != json!([]), "{name}");
        assert_eq!(info.place().has_rpc(), !truth["rpc"].is_null(), "{name}");
    }
}

/// A chip has the metadata of its file, too.
#[test]
fn images_say_what_their_files_say() {
    for (name, _) in truth() {
        let file = RasterFile::open(folder().join(&name)).unwrap();
        let image = Raster::open(folder().join(&name)).unwrap();
        assert_eq!(image.place(), file.info().place(), "{name}");
        if !file.info().has_palette() {
            assert_eq!(image.band_names(), file.info().band_names(), "{name}");
            assert_eq!(image.band_scales(), file.info().band_scales(), "{name}");
            assert_eq!(image.nodata(), file.info().nodata(), "{name}");
        }
    }
}

/// Zeros in one band are its smallest value; zeros in all bands are the middle of the range.
#[test]
fn a_tensor_has_gaps_where_whole_pixels_of_bytes_have() {
    let image = Raster::open(folder().join("zeros.tif")).unwrap();
    let normalizer = Normalizer::new(vec![0.0; 3], vec![144.0; 3], 3).unwrap();
    let tensor = normalizer.normalize_raster(&image).unwrap();
    assert_eq!((tensor[(0, 0, 0)], tensor[(1, 0, 0)]), (0.0, 0.0));
    assert!(tensor[(0, 3, 0)] == -1.0 && tensor[(1, 3, 0)] > -1.0);
    let counted = |value| tensor.index_axis(ndarray::Axis(0), 0).iter().filter(|&&sample| sample == value).count();
    assert_eq!((counted(0.0), counted(-1.0)), (6, 16));
}
