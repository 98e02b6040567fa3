//! Trains Pix2Pix on paired chips, and measures how close its translations are to the ground truth.
//!
//! ```text
//! cargo run --release --example pix2pix -- [--epochs N] [--chips FOLDER] [--out FOLDER] [--resume]
//! ```
//!
//! Learns shaded relief (B) from satellite chips of the same places (A): thirteen pairs of 64 pixels, two of them held
//! out for validation. The model memorizes so few pairs; the example shows the workflow, which you can apply to your
//! own data.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

#[path = "common/arguments.rs"]
mod arguments;
mod common;

use arguments::Arguments;
use geolearn::dataset::Augment;
use geolearn::evaluation::MetricsOptions;
use geolearn::inference::NormStatistics;
use geolearn::train::Checkpoint;
use geolearn::{DatasetType, Domain, FitOptions, Pix2Pix, PrepareData, RasterOptions};

const SCENE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/scenes/bluemarble_asia.tif");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Arguments::read("pix2pix", 40, "bluemarble_test");
    let out = &options.out;
    std::fs::create_dir_all(out)?;
    // No flips or rotations: shaded relief is lit from the northwest in every chip.
    let augment = Augment::none().zoom(1.2);
    let data = PrepareData::new(&options.chips, DatasetType::Pix2Pix).augment(augment).val_split_pct(0.15);
    let data = data.working_dir(out).prepare()?;
    println!("{data}");
    data.show_batch(4)?.save(out.join("1_pairs.png"))?;

    // 64-pixel chips can be halved six times; the default, eight, is for 256-pixel chips.
    let mut model = Pix2Pix::builder(&data).gen_levels(6).gen_features(16).disc_features(16).build()?;
    let checkpoints = out.join("checkpoints");
    let signal = common::stop_on_ctrl_c()?;
    let fit = FitOptions::new(options.epochs).checkpoint(Checkpoint::Last).checkpoint_dir(&checkpoints);
    let history = model.fit(fit.resume(options.resume).callback(signal.clone()))?;
    if signal.is_set() {
        println!(
            "Stopped; the checkpoint is in {}. Run the same command with --resume to continue.",
            checkpoints.display()
        );
        return Ok(());
    }
    println!("Validation L1 of the last epoch: {:.3}", history.last("valid_l1").unwrap_or(f64::NAN));
    model.plot_losses()?.save(out.join("2_losses.png"))?;
    model.show_results(2)?.save(out.join("3_validation.png"))?;
    println!("{}", model.compute_metrics_with(MetricsOptions::new().progress(false))?);

    // The statistics of a U-Net depend on the tile, so tiles are blended.
    let scene = RasterOptions::new(Domain::B).statistics(NormStatistics::Tile { padding: None });
    model.predict_raster(SCENE, out.join("4_scene.tif"), scene)?;
    let folder = model.save(out.join("model"))?;
    println!("Saved to {}. The pictures are in {}.", folder.display(), out.display());
    Ok(())
}
