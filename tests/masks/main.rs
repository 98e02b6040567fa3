//! Tests that masks, alpha, nodata and NaN act as one validity mask, which everything respects. The masks are compared
//! with rasterio's `dataset_mask`, as recorded by `make.py` in `tests/fixtures/masks`, and live with the Python in
//! GEOLEARN_TEST_PYTHON.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

#[path = "../common/mod.rs"]
mod common;
mod training;
mod translation;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use geolearn::raster::{RasterFile, ValiditySource};
use geolearn::{ErrorKind, Raster};
use ndarray::{Array2, s};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/masks").join(name)
}

/// Returns what rasterio reports for each file.
fn truth() -> BTreeMap<String, Value> {
    let text = std::fs::read_to_string(fixture("truth.json")).unwrap();
    let truth: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    assert!(truth.len() > 40, "the corpus is there");
    truth
}

/// Decodes a mask from its run lengths, starting with a run without data.
fn mask(runs: &Value) -> Array2<bool> {
    let runs = runs.as_array().unwrap().iter().map(|run| run.as_u64().unwrap() as usize).enumerate();
    let pixels: Vec<bool> = runs.flat_map(|(index, length)| std::iter::repeat_n(index % 2 == 1, length)).collect();
    Array2::from_shape_vec((36, 40), pixels).unwrap()
}

/// Returns the mask that nearly all files of the corpus have.
fn disk() -> Array2<bool> {
    let disk = mask(&truth()["internal_strips.tif"]["runs"]);
    assert_eq!(disk.iter().filter(|valid| **valid).count(), 639);
    disk
}

#[test]
fn masks_are_those_of_rasterio() {
    for (name, told) in truth() {
        let (file, expected) = (RasterFile::open(fixture(&name)).unwrap(), mask(&told["runs"]));
        assert_eq!(file.read_validity().unwrap(), expected, "{name}");
        for (row, column, height, width) in [(0, 0, 1, 40), (7, 11, 20, 17), (31, 33, 5, 7), (16, 16, 1, 1)] {
            let part = file.read_validity_window(row, column, height, width).unwrap();
            assert_eq!(part, expected.slice(s![row..row + height, column..column + width]), "{name}, row {row}");
        }
    }
}

#[test]
fn masks_are_those_of_rasterio_now() {
    let names: Vec<String> = truth().into_keys().collect();
    let script = fixture("make.py");
    let files: Vec<PathBuf> = names.iter().map(|name| fixture(name)).collect();
    let arguments: Vec<&dyn AsRef<std::ffi::OsStr>> =
        std::iter::once(&script).chain(&files).map(|path| path as &dyn AsRef<std::ffi::OsStr>).collect();
    let Some(told) = common::python::run(&arguments) else { return };
    let told: Vec<Value> = serde_json::from_str(&told).unwrap();
    assert_eq!(told.len(), files.len());
    for (file, told) in files.iter().zip(&told) {
        assert_eq!(RasterFile::open(file).unwrap().read_validity().unwrap(), mask(&told["runs"]), "{file:?}");
    }
}

/// Returns the source of validity for each file name.
#[test]
fn what_counts_is_named() {
    let expected = |name: &str| match name {
        "beside_without_flags.tif" | "all_valid.tif" => ValiditySource::Samples,
        "alpha_gray.tif" | "alpha_gray.png" => ValiditySource::AlphaBand(1),
        "near_infrared.tif" => ValiditySource::AlphaBand(3),
        "color_gray.png" | "color_gray4.png" => ValiditySource::Nodata,
        _ => match name.split('_').next().unwrap_or_default() {
            "internal" | "behind.jpg" => ValiditySource::InternalMask,
            "beside" | "beside.tif" | "beside.png" | "beside.jpg" => ValiditySource::MaskFile,
            "alpha" | "alpha.png" => ValiditySource::AlphaBand(3),
            "nodata" => ValiditySource::Nodata,
            "color" => ValiditySource::TransparentColors,
            _ => ValiditySource::Samples,
        },
    };
    for (name, _) in truth() {
        let expected =
            if name == "beside_behind_internal.tif" { ValiditySource::InternalMask } else { expected(&name) };
        assert_eq!(RasterFile::open(fixture(&name)).unwrap().info().validity_source(), expected, "{name}");
    }
}

/// The alpha of a TIFF stays a band until it is excluded; with it, every pixel of these files is valid.
#[test]
fn images_in_memory_have_the_mask_of_their_file() {
    let is_band = |name: &str| name.ends_with(".tif") && (name.starts_with("alpha") || name == "near_infrared.tif");
    for (name, told) in truth() {
        let (image, expected) = (Raster::open(fixture(&name)).unwrap(), mask(&told["runs"]));
        match is_band(&name) {
            true => assert!(image.validity().iter().all(|valid| *valid), "{name}"),
            false => assert_eq!(image.validity(), expected, "{name}"),
        }
        if name.ends_with(".png") && !name.starts_with("beside") {
            let of_bytes = Raster::from_bytes(std::fs::read(fixture(&name)).unwrap()).unwrap();
            assert_eq!(of_bytes, image, "{name}");
        }
    }
}

#[test]
fn a_mask_stays_with_an_image() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["internal_tiled.tif", "internal_float.tif", "beside.png", "color_rgb.png"] {
        let image = Raster::open(fixture(name)).unwrap();
        let path = folder.path().join("saved.tif");
        image.save(&path).unwrap();
        let file = RasterFile::open(&path).unwrap();
        assert_eq!(
            (file.info().validity_source(), file.read_validity().unwrap()),
            (ValiditySource::InternalMask, disk())
        );
        let again = Raster::open(&path).unwrap();
        assert_eq!((again.samples(), again.validity()), (image.samples(), disk()), "{name}");
        let bytes = image.to_bytes(geolearn::raster::RasterFormat::GeoTiff).unwrap();
        assert_eq!(Raster::from_bytes(bytes).unwrap(), again, "{name}");
    }
}

/// A file with a nodata value expresses by it what its mask expressed.
#[test]
fn a_nodata_value_takes_the_place_of_a_mask() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.tif");
    let image = Raster::open(fixture("internal_strips.tif")).unwrap().with_nodata(0.0);
    image.save(&path).unwrap();
    let file = RasterFile::open(&path).unwrap();
    assert_eq!((file.info().validity_source(), file.read_validity().unwrap()), (ValiditySource::Nodata, disk()));
}

/// Both masks are ignored, as by GDAL: one is unreadable, the other belongs to another image.
#[test]
fn a_mask_beside_that_is_none_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("image.tif");
    std::fs::copy(fixture("all_valid.tif"), &path).unwrap();
    let validity = || RasterFile::open(&path).unwrap().read_validity().unwrap();
    std::fs::write(path.with_extension("tif.msk"), "no image").unwrap();
    assert!(validity().iter().all(|valid| *valid));
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/scenes/bluemarble_asia.tif");
    std::fs::copy(scene, path.with_extension("tif.msk")).unwrap();
    assert!(validity().iter().all(|valid| *valid));
    std::fs::copy(fixture("beside.tif.msk"), path.with_extension("tif.msk")).unwrap();
    assert_eq!(validity(), disk(), "the name is the right one");
}

#[test]
fn statistics_of_files_are_told() {
    let stated = |name: &str| RasterFile::open(fixture(name)).unwrap().info().stated_statistics().to_vec();
    let [first, second] = stated("statistics.tif")[..] else { unreachable!("there are two bands") };
    let first = first.unwrap();
    assert_eq!((first.min, first.max, first.mean, first.std), (3.0, 250.0, Some(117.25), Some(41.5)));
    assert_eq!(second, None);
    let within = stated("statistics_within.tif")[0].unwrap();
    assert_eq!((within.min, within.max, within.mean, within.std), (1.0, 253.0, Some(127.5), Some(72.0)));
    let file = RasterFile::open(fixture("statistics.tif")).unwrap();
    assert_eq!(file.info().band_names(), [Some("red".to_string()), None]);
}

/// A mask that exists but cannot be read is an error, not an image without gaps.
#[test]
fn a_damaged_mask_is_told_of() {
    let mut bytes = std::fs::read(fixture("behind.jpg")).unwrap();
    assert_eq!(Raster::from_bytes(&bytes).unwrap().validity(), disk());
    let end = bytes.len() - 4;
    bytes[end - 40..end].fill(0x55);
    let error = Raster::from_bytes(&bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.to_string().contains("the mask behind a JPEG is damaged"), "{error}");
}
