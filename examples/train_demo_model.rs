//! Trains the model in `assets/models/sat2relief` that the quickstart shows beside its own.
//!
//! ```text
//! cargo run --release --example train_demo_model -- OUT [EPOCHS [LR [GEN_FEATURES [GEN_BLOCKS [DISC_FEATURES]]]]]
//! ```
//!
//! The defaults are those of the committed model; `assets/models/README.md` says how long it took. Training follows
//! `Recipe::Sharp`, without flips and turns: shaded relief is lit from the north-west throughout, and a
//! turned chip would teach the generators that light comes from everywhere.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that speaks to a terminal")]

mod common;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use geolearn::{Augment, Checkpoint, CycleGan, DatasetType, FitOptions, PrepareData, Recipe, SamplePictures};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let Some(out) = std::env::args().nth(1).map(PathBuf::from) else {
        eprintln!("usage: train_demo_model OUT [EPOCHS [LR [GEN_FEATURES [GEN_BLOCKS [DISC_FEATURES]]]]]");
        std::process::exit(2);
    };
    std::fs::create_dir_all(&out)?;
    let chips = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/bluemarble");
    let augment = Augment::none().zoom(1.2);
    let data = PrepareData::new(chips, DatasetType::CycleGan).augment(augment).val_split_pct(0.05).prepare()?;
    println!("{data}");
    let mut model = CycleGan::builder(&data)
        .recipe(Recipe::Sharp)
        .gen_features(argument(4, 16))
        .gen_blocks(argument(5, 4))
        .disc_features(argument(6, 16))
        .build()?;
    let pictures = SamplePictures::new(&out).every(10).rows(6);
    let signal = common::stop_on_ctrl_c()?;
    let fit = FitOptions::new(argument(2, 200))
        .lr(argument(3, 2e-4))
        .checkpoint(Checkpoint::Last)
        .checkpoint_dir(out.join("checkpoints"))
        .resume(true)
        .callback(pictures)
        .callback(signal.clone());
    model.fit(fit)?;
    if signal.is_set() {
        println!("Stopped; the same command goes on.");
        return Ok(());
    }
    let folder = model.save(out.join("sat2relief"))?;
    model.plot_losses()?.save(out.join("losses.png"))?;
    println!("Saved to {}.", folder.display());
    Ok(())
}

/// Argument number `index`, or what stands for it.
fn argument<T: FromStr>(index: usize, default: T) -> T {
    std::env::args().nth(index).and_then(|text| text.parse().ok()).unwrap_or(default)
}
