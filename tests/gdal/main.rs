//! Tests reading through GDAL. GDAL makes the files from the bundled chips and fixtures; the results are compared with
//! what this crate's own readers see in the original TIFF, and with rasterio.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

#[path = "../common/mod.rs"]
mod common;
mod corpus;
mod formats;
mod refusals;
mod server;
mod workflows;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gdal::raster::RasterCreationOptions;
use gdal::{Dataset, DriverManager};
use geolearn::Raster;
use geolearn::raster::{BandScale, Place, Samples};
use ndarray::Array3;

/// Options for lossless JPEG 2000, with tiles smaller than the images here.
const LOSSLESS_TILES: &[&str] = &["REVERSIBLE=YES", "QUALITY=100", "BLOCKXSIZE=64", "BLOCKYSIZE=64", "RESOLUTIONS=3"];

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Excludes other tests from GDAL until the guard is dropped.
///
/// Before it decodes, GDAL's JPEG 2000 driver flushes whatever any thread has in the block cache of the process, and
/// not all drivers can handle that in the middle of writing (GDAL 3.6: MRF lost samples, netCDF deadlocked). The crate
/// only reads through GDAL; these tests also write.
fn alone() -> MutexGuard<'static, ()> {
    static USED: Mutex<()> = Mutex::new(());
    USED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies an image into another format.
fn translate(from: &Path, to: &Path, driver: &str, options: &[&str]) {
    let driver = DriverManager::get_driver_by_name(driver).unwrap();
    let options = RasterCreationOptions::from_iter(options.iter().copied());
    let source = Dataset::open(from).unwrap();
    let mut made = source.create_copy(&driver, to, &options).unwrap();
    made.flush_cache().unwrap();
    // A VRT reads from its source until it is closed.
    drop(made);
    drop(source);
}

/// Three 16-bit bands with every kind of metadata, in which no pixel equals its neighbors.
fn scene() -> Raster {
    let samples =
        Array3::from_shape_fn((3, 170, 230), |(b, y, x)| ((b * 9001 + y * 263 + x * 31 + x * y) % 4000) as u16);
    Raster::new(samples)
        .unwrap()
        .with_nodata(0.0)
        .with_place(Place::new([10.0, 0.0, 399_960.0, 0.0, -10.0, 5_300_040.0]).with_epsg(32633).unwrap())
        .with_band_names(["blue", "green", "red"])
        .with_band_scales([BandScale::new(0.0001, -0.1); 3])
}

/// Writes the scene as a TIFF with this crate.
fn scene_file(folder: &Path) -> PathBuf {
    let path = folder.join("scene.tif");
    scene().save(&path).unwrap();
    path
}

/// Returns the samples of a part of the scene.
fn part(samples: &Samples, row: usize, column: usize, height: usize, width: usize) -> Array3<f32> {
    let all = samples.to_f32();
    all.slice(ndarray::s![.., row..row + height, column..column + width]).to_owned()
}
