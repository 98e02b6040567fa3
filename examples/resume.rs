//! A training that can be interrupted: by Ctrl-C, by a kill, by a power cut.
//!
//! ```text
//! cargo run --release --example resume -- [--epochs N] [--chips FOLDER] [--out FOLDER]
//! ```
//!
//! Press Ctrl-C, then run the same command again: it goes on where it was, and ends with the weights that it would
//! have had without the interruption, to the bit on a processor.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that speaks to a terminal")]

#[path = "common/arguments.rs"]
mod arguments;
mod common;

use arguments::Arguments;
use geolearn::dataset::Augment;
use geolearn::train::{Checkpoint, EarlyStopping};
use geolearn::{CycleGan, DatasetType, FitOptions, PrepareData};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // It always goes on where there is something to go on with.
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
        println!("Stopped after {} steps; the state is in {}.", history.steps(), checkpoints.display());
        println!("Run the same command again to go on, or remove that folder to begin anew.");
        return Ok(());
    }
    model.plot_losses()?.save(out.join("losses.png"))?;
    let folder = model.save(out.join("last"))?;
    println!("Trained for {} epochs; the model of the last is in {}.", history.epochs().len(), folder.display());
    let best = CycleGan::from_checkpoint(checkpoints.join("best.safetensors"), &data)?;
    let folder = best.save(out.join("best"))?;
    println!("The best by valid_cycle is that of epoch {}, in {}.", best.history().epochs().len(), folder.display());
    Ok(())
}
