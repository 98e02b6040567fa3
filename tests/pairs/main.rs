//! Pairs of chips: how they are found, what is refused, and that partners stay together and see the same.

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
#[path = "../common/warnings.rs"]
mod warnings;

use std::fs;
use std::path::{Path, PathBuf};

use geolearn::dataset::{Augment, BadChips, Split};
use geolearn::{DataBunch, DatasetType, Domain, PrepareData, Raster};
use ndarray::Array3;
use tempfile::TempDir;

fn write(root: &Path, name: &str, image: &Raster) -> PathBuf {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(&path).unwrap();
    path
}

/// Every pixel differs from its neighbors, and chips of different seeds differ.
fn chip(height: usize, width: usize, seed: usize) -> Raster {
    let value = |(b, y, x): (usize, usize, usize)| (seed * 31 + b * 57 + y * 13 + x * 7 + x * y) as u8;
    Raster::new(Array3::from_shape_fn((3, height, width), value)).unwrap()
}

/// Two chips in one file.
fn side_by_side(left: &Raster, right: &Raster) -> Raster {
    let [left, right] = [left, right].map(|chip| chip.samples().to_f32().mapv(|value| value as u8));
    Raster::new(ndarray::concatenate(ndarray::Axis(2), &[left.view(), right.view()]).unwrap()).unwrap()
}

fn options(root: &Path) -> PrepareData {
    PrepareData::new(root, DatasetType::Pix2Pix)
}

/// The stems of all pairs, which are those of A's files and of B's.
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

/// Chips as networks see them, each a list of numbers.
fn chips(tensor: &tch::Tensor) -> Vec<Vec<f32>> {
    (0..tensor.size()[0]).map(|i| values(&tensor.get(i))).collect()
}

/// All pairs of an epoch as networks see them.
fn epoch(data: &DataBunch, number: u64) -> Vec<(Vec<f32>, Vec<f32>)> {
    let batches = data.epoch(number).unwrap().map(Result::unwrap);
    batches.flat_map(|batch| chips(&batch.a).into_iter().zip(chips(&batch.b))).collect()
}
