//! Tests the way from folders of chips to batches.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the option that allows this in tests does not reach the helpers of an integration test"
)]

mod augmentation;
mod batches;
mod chips;
mod gaps;
#[path = "../common/jpeg.rs"]
mod jpeg;
mod kinds;
mod layouts;
mod mixtures;
mod normalization;
mod pictures;
mod ranges;
#[path = "../common/rasters.rs"]
mod rasters;
#[path = "../common/warnings.rs"]
mod warnings;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use geolearn::dataset::{Augment, BadChips, Band, Channels, MixedBands, MixedSizes, Normalization, Normalizer, Split};
use geolearn::raster::{Dtype, Samples};
use geolearn::{DataBunch, DatasetType, Domain, ErrorKind, PrepareData, Raster, prepare_data};
use ndarray::Array3;
use proptest::prelude::*;
use rasters::{chip, write};
use tempfile::TempDir;

/// Returns the path of a fixture whose per-file properties differ from the others; `make.py` in that folder made them
/// with rasterio.
fn mixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mixtures").join(name)
}

/// Copies these files of `tests/fixtures/mixtures` as domain A, with pictures as B.
fn mixtures(files: &[&str]) -> TempDir {
    let root = folder(0, 3);
    fs::create_dir_all(root.path().join("A")).unwrap();
    for (i, name) in files.iter().enumerate() {
        fs::copy(mixture(name), root.path().join(format!("A/{i}.tif"))).unwrap();
    }
    root
}

/// Creates `a` and `b` RGB chips of 8 x 8 pixels.
fn folder(a: usize, b: usize) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, count) in [("A", a), ("B", b)] {
        for i in 0..count {
            write(root.path(), &format!("{name}/images/{i:03}.png"), &chip(3, 8, 8, i + name.len() * 100));
        }
    }
    root
}

fn options(root: &TempDir) -> PrepareData {
    PrepareData::new(root.path(), DatasetType::CycleGan)
}

fn values(tensor: &tch::Tensor) -> Vec<f32> {
    Vec::try_from(tensor.flatten(0, -1)).unwrap()
}

/// The shape of A's tensor, and all values of A and of B.
type Numbers = (Vec<i64>, Vec<f32>, Vec<f32>);

fn epoch(data: &DataBunch, number: u64) -> Vec<Numbers> {
    let all = data.epoch(number).unwrap().map(Result::unwrap);
    all.map(|batch| (batch.a.size(), values(&batch.a), values(&batch.b))).collect()
}

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}
