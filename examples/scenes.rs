//! Trains a small model on two scenes and translates one of them, without a chip on disk.
//!
//! ```text
//! cargo run --release --example scenes -- [--a SCENES] [--b SCENES] [--chip-size PIXELS] [--epochs N] [--out FOLDER] [--export FOLDER]
//! ```
//!
//! Draws 32-pixel windows from the bundled satellite scene (A) and its shaded relief (B), holds out part of the area for
//! validation, trains a small model for a few epochs (enough to show the workflow, not what a model can learn), and
//! translates the scene. With `--export`, the scenes are first cut into chips, which other programs can read, and the
//! model is trained on those. After Ctrl-C, running the same command again resumes the export.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

mod common;

use std::path::{Path, PathBuf};

use clap::Parser;
use geolearn::dataset::{Augment, ExportTrainingData};
use geolearn::train::StopSignal;
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
    /// Width and height of windows or chips, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 32)]
    chip_size: usize,
    /// Epochs to train for
    #[arg(long, value_name = "N", default_value_t = 4)]
    epochs: usize,
    /// Folder for pictures and the translated scene
    #[arg(long, value_name = "FOLDER", default_value = "out/scenes")]
    out: PathBuf,
    /// Folder for chips, to train on these instead
    #[arg(long, value_name = "FOLDER")]
    export: Option<PathBuf>,
    /// Least standard deviation of a chip, in the units of the samples
    #[arg(long, value_name = "STD", default_value_t = 6.0, requires = "export")]
    min_std: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let signal = common::stop_on_ctrl_c()?;
    let options = match &arguments.export {
        Some(chips) => exported(&arguments, chips, signal.clone())?,
        None => PrepareData::new(&arguments.out, DatasetType::CycleGan)
            .scenes(Domain::A, [&arguments.a])
            .scenes(Domain::B, [&arguments.b])
            .chip_size(arguments.chip_size),
    };
    let Arguments { a, epochs, out, .. } = arguments;

    // No flips or rotations: relief is lit from the northwest.
    let data = options.augment(Augment::none().zoom(1.2)).batch_size(4).prepare()?;
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

/// Cuts the scenes into chips, whose validation chips are those of the ground that was set aside.
fn exported(arguments: &Arguments, chips: &Path, signal: StopSignal) -> geolearn::Result<PrepareData> {
    let Arguments { a, b, chip_size, min_std, .. } = arguments;
    let export = ExportTrainingData::new(a, b, chips).tile_size(*chip_size).min_std(*min_std);
    println!("{}", export.stop_signal(signal).export()?);
    Ok(PrepareData::new(chips, DatasetType::CycleGan))
}
