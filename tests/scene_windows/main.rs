//! Training straight from scenes: which windows are drawn, what they hold, and what is refused.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up has failed")]

mod drawn;
mod kept;
mod metrics;
#[path = "../common/on_cpu.rs"]
mod on_cpu;
mod places;
mod read;
mod refused;
#[path = "../common/warnings.rs"]
mod warnings;

use std::path::{Path, PathBuf};

use geolearn::raster::{Place, Samples};
use geolearn::{DatasetType, Domain, PrepareData, Raster};
use ndarray::{Array2, Array3};

/// 512 x 320 pixels of three bands of bytes, EPSG:4326, 0.2 degrees a pixel.
const SCENE: &str = "assets/scenes/bluemarble_asia.tif";

/// Windows of 32 pixels of one scene for each domain; found things are kept in `folder`.
fn options(folder: &Path, a: impl Into<PathBuf>, b: impl Into<PathBuf>) -> PrepareData {
    PrepareData::new(folder, DatasetType::CycleGan)
        .scenes(Domain::A, [a])
        .scenes(Domain::B, [b])
        .chip_size(32)
        .progress(false)
}

fn scene() -> Raster {
    Raster::open(SCENE).unwrap()
}

fn bytes(raster: &Raster) -> Array3<u8> {
    match raster.samples() {
        Samples::U8(data) => data.clone(),
        other => panic!("{}", other.dtype()),
    }
}

/// The scene as a satellite sees it: a slanted strip has data, three fifths of all pixels have none.
fn with_swath(folder: &Path) -> (PathBuf, Array2<bool>) {
    let image = scene();
    let (height, width) = (image.height(), image.width());
    let across = |y: usize, x: usize| x as f64 + 0.35 * y as f64;
    let mut places: Vec<f64> = (0..height).flat_map(|y| (0..width).map(move |x| across(y, x))).collect();
    places.sort_by(f64::total_cmp);
    let [left, right] = [0.3, 0.7].map(|share| places[(share * places.len() as f64) as usize]);
    let valid = Array2::from_shape_fn((height, width), |(y, x)| (left..right).contains(&across(y, x)));
    let samples = bytes(&image);
    let shown =
        Array3::from_shape_fn(samples.dim(), |(b, y, x)| if valid[(y, x)] { samples[(b, y, x)].max(1) } else { 0 });
    let path = folder.join("swath.tif");
    let swath = Raster::new(shown).unwrap().with_place(image.place().clone()).with_nodata(0.0);
    swath.save(&path).unwrap();
    (path, valid)
}

/// The scene with other samples, at a place of its own.
fn save(folder: &Path, name: &str, samples: Array3<u8>, place: &Place) -> PathBuf {
    let path = folder.join(name);
    Raster::new(samples).unwrap().with_place(place.clone()).save(&path).unwrap();
    path
}
