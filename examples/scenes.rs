//! Cuts two scenes into chips, trains a small model, and translates a scene.
//!
//! ```text
//! cargo run --release --example scenes -- [--a SCENES] [--b SCENES] [--tile-size PIXELS] [--epochs N] [--out FOLDER]
//! ```
//!
//! Cuts the bundled satellite scene (A) and its shaded relief (B) into 32-pixel chips, holds out part of the area for
//! validation, trains a small model for a few epochs (enough to show the workflow, not what a model can learn), and
//! translates the scene. After Ctrl-C, running the same command again resumes the export.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

mod common;

use std::path::PathBuf;

use clap::Parser;
use geolearn::dataset::{Augment, ExportTrainingData};
use geolearn::{CycleGan, DatasetType, Domain, FitOptions, PrepareData, RasterOptions};

const SCENES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/scenes");

/// Trains on scenes. See the header of the source file for details.
#[derive(Debug, Parser)]
#[command(name = "scenes")]
struct Arguments {
    /// Scene of domain A, or folder of scenes
    #[arg(long, value_name = "SCENES", default_value_os_t = PathBuf::from(SCENES).join("bluemarble_asia.tif"))]
    a: PathBuf,
    /// Scene of domain B, or folder of scenes
    #[arg(long, value_name = "SCENES", default_value_os_t = PathBuf::from(SCENES).join("shadedrelief_asia.tif"))]
    b: PathBuf,
    /// Width and height of chips, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 32)]
    tile_size: usize,
    /// Minimum standard deviation of a chip, in sample units
    #[arg(long, value_name = "STD", default_value_t = 6.0)]
    min_std: f64,
    /// Epochs to train for
    #[arg(long, value_name = "N", default_value_t = 4)]
    epochs: usize,
    /// Folder for chips, pictures and the model
    #[arg(long, value_name = "FOLDER", default_value = "out/scenes")]
    out: PathBuf,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { a, b, tile_size, min_std, epochs, out } = Arguments::parse();
    let signal = common::stop_on_ctrl_c()?;
    let chips = out.join("chips");
    let export = ExportTrainingData::new(&a, &b, &chips).tile_size(tile_size).min_std(min_std);
    println!("{}", export.stop_signal(signal.clone()).export()?);

    // The validation chips are from the held-out area. No flips or rotations: relief is lit from the northwest.
    let augment = Augment::none().zoom(1.2);
    let data = PrepareData::new(&chips, DatasetType::CycleGan).augment(augment).batch_size(4).prepare()?;
    println!("{data}");
    data.show_batch(4)?.save(out.join("1_batch.png"))?;

    let mut model = CycleGan::builder(&data).gen_blocks(3).gen_features(16).disc_features(16).build()?;
    model.fit(FitOptions::new(epochs).callback(signal.clone()))?;
    model.show_results(4)?.save(out.join("2_validation.png"))?;
    let scene = if a.is_dir() { out.join("translated") } else { out.join("translated.tif") };
    model.predict_raster(&a, &scene, RasterOptions::new(Domain::B).stop_signal(signal))?;
    println!("The pictures are in {}, and the translation in {}.", out.display(), scene.display());
    Ok(())
}
