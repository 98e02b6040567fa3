//! Trains a model that survives interruption by Ctrl-C, a kill or a power failure.
//!
//! ```text
//! cargo run --release --example resume -- [--epochs N] [--chips FOLDER] [--out FOLDER]
//! ```
//!
//! Press Ctrl-C, then run the same command again: training resumes where it stopped. On the CPU, the final weights are
//! bit-identical to those of an uninterrupted run.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

#[path = "common/arguments.rs"]
mod arguments;
mod common;

use arguments::Arguments;
use geolearn::dataset::Augment;
use geolearn::train::{Checkpoint, EarlyStopping};
use geolearn::{CycleGan, DatasetType, FitOptions, PrepareData};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Always resume if there is a checkpoint.
    let Arguments { epochs, chips, out, resume: _ } = Arguments::read("resume", 30, "bluemarble");
    let checkpoints = out.join("checkpoints");
    let data = PrepareData::new(chips, DatasetType::CycleGan).augment(Augment::none().zoom(1.2)).prepare()?;
    let mut model = CycleGan::builder(&data).gen_blocks(3).gen_features(16).disc_features(16).build()?;

    let signal = common::stop_on_ctrl_c()?;
    let options = FitOptions::new(epochs)
        .checkpoint(Checkpoint::Best)
        .checkpoint_dir(&checkpoints)
        .resume(true)
        .monitor("valid_cycle")
        .early_stopping(EarlyStopping::default().patience(20))
        .callback(signal.clone());
    let history = model.fit(options)?;

    if signal.is_set() {
        println!("Stopped after {} steps; the checkpoint is in {}.", history.steps(), checkpoints.display());
        println!("Run the same command again to resume, or remove that folder to start over.");
        return Ok(());
    }
    model.plot_losses()?.save(out.join("losses.png"))?;
    let folder = model.save(out.join("last"))?;
    println!("Trained for {} epochs; the final model is in {}.", history.epochs().len(), folder.display());
    let best = CycleGan::from_checkpoint(checkpoints.join("best.safetensors"), &data)?;
    let folder = best.save(out.join("best"))?;
    println!(
        "The best model by valid_cycle, from epoch {}, is in {}.",
        best.history().epochs().len(),
        folder.display()
    );
    Ok(())
}
