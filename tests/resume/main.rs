//! Tests checkpoints, and fits that resume from them bit for bit after a stop, a kill or an error.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up has failed")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "children report, and what is skipped is said")]

mod beside;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/events.rs"]
mod events;
mod found_rate;
mod kept;
mod killed;
mod refused;
mod scenes;
mod stopped;

use common::on_cpu;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use geolearn::models::cyclegan::CycleGanBuilder;
use geolearn::train::Checkpoint;
use geolearn::{CycleGan, DataBunch, DatasetType, FitOptions, PrepareData};
use safetensors::SafeTensors;

/// Prepares chips with every kind of augmentation, with a batch size of 1.
fn data(chips: &Path) -> DataBunch {
    PrepareData::new(chips, DatasetType::CycleGan).resize_to(32).prepare().unwrap()
}

fn builder(data: &DataBunch) -> CycleGanBuilder {
    on_cpu::builder(data).gen_blocks(1).gen_features(8).disc_features(8).pool_size(3)
}

fn model(data: &DataBunch) -> CycleGan {
    builder(data).build().unwrap()
}

/// Returns options with checkpoints in `folder`, from which the fit resumes.
fn options(epochs: usize, folder: &Path) -> FitOptions {
    FitOptions::new(epochs).progress(false).checkpoint(Checkpoint::Last).checkpoint_dir(folder).resume(true)
}

fn last(folder: &Path) -> PathBuf {
    folder.join("last.safetensors")
}

/// Returns the bits of every tensor of a checkpoint: weights, moments, step counts, pooled images.
fn tensors(checkpoint: &Path) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(checkpoint).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    file.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect()
}

/// Returns the part of a checkpoint's header that does not describe tensors.
fn header(checkpoint: &Path) -> serde_json::Value {
    let bytes = std::fs::read(checkpoint).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    serde_json::from_str(&metadata.metadata().as_ref().unwrap()["geolearn.checkpoint"]).unwrap()
}

/// Returns the losses and metrics of a checkpoint's history, without its times.
fn losses(checkpoint: &Path) -> Vec<serde_json::Value> {
    let header = header(checkpoint);
    let epochs = header["history"]["epochs"].as_array().unwrap().clone();
    epochs
        .into_iter()
        .map(|epoch| serde_json::json!([epoch["losses"], epoch["metrics"], epoch["lr"], epoch["steps"]]))
        .collect()
}
