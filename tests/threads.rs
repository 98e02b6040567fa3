//! Tests that results do not depend on the number of threads.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use geolearn::loss::{AdversarialLoss, DiffAugment};
use geolearn::models::cyclegan::CycleGanConfig;
use geolearn::ndarray::Array3;
use geolearn::nn::Upsampling;
use geolearn::runtime::{num_threads, set_num_threads};
use geolearn::{CycleGan, DataBunch, DatasetType, Domain, PrepareData, Raster};

fn data(folder: &Path, side: usize, batch: usize) -> DataBunch {
    let data = PrepareData::new(folder, DatasetType::CycleGan).crop_size(side).batch_size(batch).progress(false);
    data.prepare().unwrap()
}

/// Returns every weight and moment after an epoch, and the losses.
fn trained(data: &DataBunch, config: &CycleGanConfig, threads: usize) -> (Vec<(String, Vec<f32>)>, Vec<u64>) {
    use geolearn::train::Translator;
    set_num_threads(threads).unwrap();
    assert_eq!(num_threads(), threads);
    let mut model = CycleGan::builder(data).config(config.clone()).build().unwrap();
    let history = model.fit(1).unwrap();
    let losses = history.epochs().iter().flat_map(|epoch| epoch.losses.iter().map(|loss| loss.to_bits())).collect();
    let values = |tensor: &geolearn::tch::Tensor| Vec::try_from(tensor.flatten(0, -1)).unwrap();
    (model.state().tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect(), losses)
}

/// Excludes other tests, since the number of threads is global to the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn check(side: usize, batch: usize, chips: usize, config: &CycleGanConfig) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), chips, chips), side, batch);
    let one = trained(&data, config, 1);
    assert!(one.1.len() > 3 && one.0.len() > 20);
    for threads in [2, 3, 5, 16] {
        let many = trained(&data, config, threads);
        let what = format!("{side} pixels, batches of {batch}, {threads} threads, {config:?}");
        assert_eq!(many.1, one.1, "{what}");
        for (ours, theirs) in many.0.iter().zip(&one.0) {
            assert!(ours == theirs, "{}: {what}", ours.0);
        }
    }
}

fn config() -> CycleGanConfig {
    let mut config = CycleGanConfig::default();
    (config.gen_features, config.gen_blocks, config.disc_features) = (16, 2, 16);
    config
}

#[test]
fn training_gives_the_same_bits_on_any_number_of_threads() {
    for (side, batch, chips) in [(64, 1, 3), (60, 3, 7), (52, 4, 8)] {
        check(side, batch, chips, &config());
    }
}

#[test]
fn training_with_each_option_gives_the_same_bits_on_any_number_of_threads() {
    let mut entropy = config();
    entropy.adversarial = AdversarialLoss::BinaryCrossEntropy;
    let mut narrow = config();
    (narrow.gen_features, narrow.disc_features) = (6, 5);
    let mut sharp = config();
    sharp.upsampling = Upsampling::Resize;
    (sharp.global_skip, sharp.cycle_weight_end) = (true, Some(1.0));
    sharp.diff_augment = DiffAugment::default().translation(true).cutout(true);
    for config in [entropy, narrow, sharp] {
        check(60, 2, 4, &config);
    }
}

#[test]
fn translation_gives_the_same_bits_on_any_number_of_threads() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let model = CycleGan::from_model("assets/models/sat2relief", None).unwrap();
    let image = Raster::open("assets/bluemarble/A/images/y0300_x0900.png").unwrap().resize(117, 83).unwrap();
    let pixels = Array3::<u8>::try_from(image).unwrap().mapv(f32::from);
    let made = |threads| {
        set_num_threads(threads).unwrap();
        model.predict_array(&pixels, Domain::B).unwrap()
    };
    let one = made(1);
    for threads in [2, 3, 5, 16] {
        assert!(made(threads) == one, "{threads} threads");
    }
}
