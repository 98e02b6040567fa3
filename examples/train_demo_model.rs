//! Trains the model in `assets/models/sat2relief`, which the quickstart shows next to its own.
//!
//! ```text
//! cargo run --release --example train_demo_model -- OUT [EPOCHS [LR [GEN_FEATURES [GEN_BLOCKS [DISC_FEATURES]]]]]
//! ```
//!
//! The defaults are those of the committed model; `assets/models/README.md` says how long it took to train. Training
//! follows `Recipe::Sharp`, without flips and rotations: shaded relief is always lit from the northwest, and a rotated
//! chip would teach the generators that light comes from any direction.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

mod common;

use std::path::{Path, PathBuf};

use clap::Parser;
use geolearn::dataset::Augment;
use geolearn::train::Checkpoint;
use geolearn::train::SamplePictures;
use geolearn::{CycleGan, DatasetType, FitOptions, PrepareData, Recipe};

/// Trains the model in assets/models/sat2relief. The defaults are those of the committed model.
#[derive(Parser)]
#[command(name = "train_demo_model")]
struct Arguments {
    /// Folder for the model, its checkpoints and pictures
    out: PathBuf,
    /// Epochs to train for
    #[arg(default_value_t = 200)]
    epochs: usize,
    /// Learning rate
    #[arg(default_value_t = 2e-4)]
    lr: f64,
    /// Features in the generators
    #[arg(default_value_t = 16)]
    gen_features: usize,
    /// Residual blocks in the generators
    #[arg(default_value_t = 4)]
    gen_blocks: usize,
    /// Features in the discriminators
    #[arg(default_value_t = 16)]
    disc_features: usize,
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let Arguments { out, epochs, lr, gen_features, gen_blocks, disc_features } = Arguments::parse();
    std::fs::create_dir_all(&out)?;
    let chips = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/bluemarble");
    let augment = Augment::none().zoom(1.2);
    let data = PrepareData::new(chips, DatasetType::CycleGan).augment(augment).val_split_pct(0.05).prepare()?;
    println!("{data}");
    let mut model = CycleGan::builder(&data)
        .recipe(Recipe::Sharp)
        .gen_features(gen_features)
        .gen_blocks(gen_blocks)
        .disc_features(disc_features)
        .build()?;
    let pictures = SamplePictures::new(&out).every(10).rows(6);
    let signal = common::stop_on_ctrl_c()?;
    let fit = FitOptions::new(epochs)
        .lr(lr)
        .checkpoint(Checkpoint::Last)
        .checkpoint_dir(out.join("checkpoints"))
        .resume(true)
        .callback(pictures)
        .callback(signal.clone());
    model.fit(fit)?;
    if signal.is_set() {
        println!("Stopped; run the same command again to resume.");
        return Ok(());
    }
    let folder = model.save(out.join("sat2relief"))?;
    model.plot_losses()?.save(out.join("losses.png"))?;
    println!("Saved to {}.", folder.display());
    Ok(())
}
