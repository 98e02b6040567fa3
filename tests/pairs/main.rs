//! Tests pairs of chips: how they are found, what is rejected, and that partners stay together.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the option that allows this in tests does not reach the helpers of an integration test"
)]

mod batches;
mod layouts;
mod models;
mod partners;
#[path = "../common/rasters.rs"]
mod rasters;
#[path = "../common/warnings.rs"]
mod warnings;

use std::fs;
use std::path::{Path, PathBuf};

use geolearn::dataset::{Augment, BadChips, Split};
use geolearn::{DataBunch, DatasetType, Domain, PrepareData, Raster};
use ndarray::Array3;
use rasters::write;
use tempfile::TempDir;

/// Creates an RGB chip; see [`rasters::chip`].
fn chip(height: usize, width: usize, seed: usize) -> Raster {
    rasters::chip(3, height, width, seed)
}

/// Joins two chips into one image.
fn side_by_side(left: &Raster, right: &Raster) -> Raster {
    let [left, right] = [left, right].map(|chip| chip.samples().to_f32().mapv(|value| value as u8));
    Raster::new(ndarray::concatenate(ndarray::Axis(2), &[left.view(), right.view()]).unwrap()).unwrap()
}

fn options(root: &Path) -> PrepareData {
    PrepareData::new(root, DatasetType::Pix2Pix)
}

/// Returns the stems of all pairs, after checking that A's and B's files have the same stem.
fn stems(data: &DataBunch, split: Split) -> Vec<String> {
    let stem = |file: &Path| file.file_stem().unwrap().to_string_lossy().into_owned();
    data.pairs(split)
        .map(|(a, b)| {
            assert_eq!(stem(a), stem(b));
            stem(a)
        })
        .collect()
}

fn values(tensor: &tch::Tensor) -> Vec<f32> {
    Vec::try_from(tensor.flatten(0, -1)).unwrap()
}

/// Returns chips as networks see them, each as a list of numbers.
fn chips(tensor: &tch::Tensor) -> Vec<Vec<f32>> {
    (0..tensor.size()[0]).map(|i| values(&tensor.get(i))).collect()
}

/// Returns all pairs of an epoch as networks see them.
fn epoch(data: &DataBunch, number: u64) -> Vec<(Vec<f32>, Vec<f32>)> {
    let batches = data.epoch(number).unwrap().map(Result::unwrap);
    batches.flat_map(|batch| chips(&batch.a).into_iter().zip(chips(&batch.b))).collect()
}
