//! Trains a CycleGAN from a folder of chips, with pictures of every stage.
//!
//! ```text
//! cargo run --release --example quickstart -- [--epochs N] [--chips FOLDER] [--out FOLDER] [--resume]
//! ```
//!
//! Trains a small model from scratch on satellite chips (A) and shaded relief (B), which takes four to six minutes on
//! two cores, then shows how a model that was trained longer on the same chips translates held-out places.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

#[path = "common/arguments.rs"]
mod arguments;
mod common;

use std::path::Path;

use arguments::Arguments;
use geolearn::dataset::Augment;
use geolearn::train::Checkpoint;
use geolearn::train::SamplePictures;
use geolearn::{CycleGan, DatasetType, Domain, FitOptions, Picture, PrepareData, Raster, Recipe, Result};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let options = Arguments::read("quickstart", 30, "bluemarble");
    let out = &options.out;
    std::fs::create_dir_all(out)?;
    // Load it first, so that an incomplete checkout fails before minutes of training.
    let longer = CycleGan::from_model(Path::new(ASSETS).join("models/sat2relief"), None)?;
    // No flips or rotations: shaded relief is lit from the northwest in every chip.
    let augment = Augment::none().zoom(1.2);
    let data = PrepareData::new(&options.chips, DatasetType::CycleGan).augment(augment).prepare()?;
    println!("{data}");
    data.show_batch(4)?.save(out.join("1_batch.png"))?;

    let builder = CycleGan::builder(&data).gen_blocks(3).gen_features(16).disc_features(16);
    let mut model = builder.recipe(Recipe::Sharp).build()?;
    let samples = out.join("2_samples");
    println!("Training from scratch on {}; samples appear in {}.", model.device(), samples.display());
    let samples = SamplePictures::new(samples).every(5);
    let checkpoints = out.join("checkpoints");
    let signal = common::stop_on_ctrl_c()?;
    let fit = FitOptions::new(options.epochs)
        .checkpoint(Checkpoint::Last)
        .checkpoint_dir(&checkpoints)
        .resume(options.resume)
        .callback(samples)
        .callback(signal.clone());
    let history = model.fit(fit)?;
    if signal.is_set() {
        println!(
            "Stopped; the checkpoint is in {}. Run the same command with --resume to continue.",
            checkpoints.display()
        );
        return Ok(());
    }
    println!("Cycle loss in the last epoch: {:.3}", history.last("cycle").unwrap_or(f64::NAN));
    model.plot_losses()?.save(out.join("3_losses.png"))?;
    model.show_results(6)?.save(out.join("4_from_scratch.png"))?;
    unseen(&model, "Held-out places, trained from scratch")?.save(out.join("5_unseen_from_scratch.png"))?;
    let folder = model.save(out.join("model"))?;
    println!("Saved to {}.", folder.display());
    // The checkpoints are no longer needed.
    std::fs::remove_file(checkpoints.join("last.safetensors"))?;

    println!("The model in {ASSETS}/models was trained for {} epochs.", longer.history().epochs().len());
    unseen(&longer, "Held-out places, trained longer")?.save(out.join("6_unseen_trained_longer.png"))?;
    println!("The pictures are in {}.", out.display());
    Ok(())
}

/// Draws rows of test places: the satellite chip, its translation, the relief map of that place; then the other
/// direction.
fn unseen(model: &CycleGan, title: &str) -> Result<Picture> {
    let places = Path::new(ASSETS).join("bluemarble_test");
    let places = PrepareData::new(places, DatasetType::CycleGan).val_split_pct(0.0).prepare()?;
    let mut rows = Vec::new();
    // Files with the same name in both folders show the same place.
    for (a, b) in places.train_files(Domain::A).iter().zip(places.train_files(Domain::B)) {
        let (satellite, relief) = (Raster::open(a)?, Raster::open(b)?);
        let (made_b, made_a) = (model.predict_a2b(a)?, model.predict_b2a(b)?);
        let row = [&satellite, &made_b, &relief, &relief, &made_a, &satellite];
        rows.push(row.map(Raster::to_rgb_image).to_vec());
    }
    let columns = ["A: satellite", "A to B", "true B", "B: relief", "B to A", "true A"];
    Picture::grid(title, &columns, &rows)
}
