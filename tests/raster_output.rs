//! Tests that GDAL reads translated scenes with the georeference of the source and the samples that this crate reads.
//! Needs a Python with rasterio in GEOLEARN_TEST_PYTHON.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use common::on_cpu;
use geolearn::raster::{RasterFile, RasterSpec, RasterWriter, Samples};
use geolearn::{Domain, Raster, RasterOptions};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Row, column, height, width.
type Window = [usize; 4];

fn scene() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenes/bluemarble_asia.tif")
}

fn translate(scene: &Path, output: &Path, window: Option<Window>) {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models/sat2relief");
    let options = RasterOptions::new(Domain::B).progress(false);
    let options = match window {
        Some([row, column, height, width]) => options.window(row, column, height, width),
        None => options,
    };
    on_cpu::from_model(model, None).unwrap().predict_raster(scene, output, options).unwrap();
}

/// Returns what rasterio reads from a window of a file; `None` without a test Python.
fn rasterio(path: &Path, [row, column, height, width]: Window) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/geotiff/window.py");
    let window = [row, column, height, width].map(|number| number.to_string());
    let mut arguments: Vec<&dyn AsRef<OsStr>> = vec![&script, &path];
    arguments.extend(window.iter().map(|number| number as &dyn AsRef<OsStr>));
    Some(serde_json::from_str(&common::python::run(&arguments)?).unwrap())
}

fn whole(path: &Path) -> Window {
    let file = RasterFile::open(path).unwrap();
    [0, 0, file.info().height(), file.info().width()]
}

fn hash(samples: &Samples) -> String {
    Sha256::digest(samples.interleaved_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares the output with that window of the source. GDAL and this crate round the transform of a window alike.
fn same_grid(window: Option<Window>) {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("relief.tif");
    translate(&scene(), &output, window);
    let Some(source) = rasterio(&scene(), window.unwrap_or(whole(&scene()))) else { return };
    let made = rasterio(&output, whole(&output)).unwrap();
    for fact in ["shape", "transform", "epsg", "wkt"] {
        assert_eq!(made[fact], source[fact], "{fact}");
    }
    assert_eq!((&made["dtype"], &made["size"]), (&json!("uint8"), &made["shape"]));
    assert_eq!((&made["epsg"], &made["shape"][0]), (&json!(4326), &json!(3)));
    assert_eq!(made["sha256"], hash(Raster::open(&output).unwrap().samples()));
    assert_ne!(made["sha256"], source["sha256"], "nothing was translated");
}

#[test]
fn the_whole_scene_lies_where_it_lay_to_rasterio() {
    same_grid(None);
}

#[test]
fn a_window_lies_where_it_lay_to_rasterio() {
    same_grid(Some([37, 101, 90, 130]));
}

/// Returns a part of the bundled scene with `gap` emptied.
fn scene_with_gap(path: &Path, [row, column, height, width]: Window, gap: Window) {
    let file = RasterFile::open(scene()).unwrap();
    let mut samples = file.read_window(row, column, height, width).unwrap();
    let Samples::U8(pixels) = &mut samples else { unreachable!("the scene is uint8") };
    let [row, column, height, width] = gap;
    pixels.slice_mut(ndarray::s![.., row..row + height, column..column + width]).fill(0);
    let (bands, height, width) = pixels.dim();
    let spec = RasterSpec::new(bands, height, width, geolearn::raster::Dtype::U8).place(file.info().place().clone());
    let mut writer = RasterWriter::create(path, spec.nodata(0.0)).unwrap();
    writer.write_rows(&samples).unwrap();
    writer.finish().unwrap();
}

#[test]
fn what_has_no_data_is_what_had_none_to_rasterio() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("gap.tif"), folder.path().join("relief.tif"));
    scene_with_gap(&input, [100, 200, 96, 120], [20, 33, 41, 50]);
    translate(&input, &output, None);
    let Some(source) = rasterio(&input, whole(&input)) else { return };
    let made = rasterio(&output, whole(&output)).unwrap();
    assert_eq!(made["mask_sha256"], source["mask_sha256"]);
    assert_eq!(made["without_data"], source["without_data"]);
    assert!(source["without_data"].as_u64() >= Some(41 * 50), "{}", source["without_data"]);
    assert_eq!(made["sha256"], hash(Raster::open(&output).unwrap().samples()));
}

#[test]
fn a_window_cuts_a_gap_to_rasterio() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("gap.tif"), folder.path().join("relief.tif"));
    let window = [10, 40, 50, 60];
    scene_with_gap(&input, [100, 200, 96, 120], [20, 33, 41, 50]);
    translate(&input, &output, Some(window));
    let Some(source) = rasterio(&input, window) else { return };
    let made = rasterio(&output, whole(&output)).unwrap();
    for fact in ["mask_sha256", "without_data", "transform", "shape"] {
        assert_eq!(made[fact], source[fact], "{fact}");
    }
}
