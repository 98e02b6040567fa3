//! Compares two ways to train on domains with different band counts: repeating bands, or separate channels per domain.
//!
//! ```text
//! cargo run --release --example channels -- [--epochs N]
//! ```
//!
//! Trains small models on 13 simulated bands (A) and color relief (B), and evaluates them on held-out places for which
//! both images exist.

#![allow(clippy::print_stdout, reason = "this example prints to the terminal")]

#[path = "common/arguments.rs"]
mod arguments;

use std::path::Path;

use arguments::Arguments;
use geolearn::dataset::{Augment, Channels};
use geolearn::{CycleGan, DatasetType, Domain, FitOptions, PrepareData, Raster, Result};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
/// Trains each configuration with several seeds to show the variation between runs.
const SEEDS: [u64; 2] = [1, 2];

fn main() -> Result<()> {
    let Arguments { epochs, chips, .. } = Arguments::read("channels", 60, "multispectral");
    println!("| channels | identity loss | seed | parameters | A to B | B to A |");
    println!("|---|---|---|---|---|---|");
    for seed in SEEDS {
        for (channels, identity) in [(Channels::Shared, 0.5), (Channels::Shared, 0.0), (Channels::Own, 0.0)] {
            let data = PrepareData::new(&chips, DatasetType::CycleGan)
                .channels(channels)
                .augment(Augment::none().zoom(1.2))
                .seed(seed)
                .prepare()?;
            let builder = CycleGan::builder(&data).gen_blocks(3).gen_features(16).disc_features(16);
            let mut model = builder.identity_weight(identity).build()?;
            model.fit(FitOptions::new(epochs).progress(false))?;
            let parameters = model.memory_estimate()?.parameters / 4;
            let [b, a] = mean_errors(&model)?;
            println!("| {channels:?} | {identity} | {seed} | {parameters} | {b:.4} | {a:.4} |");
        }
    }
    Ok(())
}

/// Returns the mean absolute error of the translations into B and into A, as a fraction of the largest true value.
fn mean_errors(model: &CycleGan) -> Result<[f64; 2]> {
    let (mut sums, mut places) = ([0.0; 2], 0.0);
    let files = std::fs::read_dir(Path::new(ASSETS).join("multispectral_test/a")).into_iter().flatten().flatten();
    for file in files {
        let spectra = file.path();
        let name = spectra.file_stem().unwrap_or_default();
        let relief = Path::new(ASSETS).join("bluemarble_test/b").join(name).with_extension("png");
        for (sum, (to, from, truth)) in
            sums.iter_mut().zip([(Domain::B, &spectra, &relief), (Domain::A, &relief, &spectra)])
        {
            *sum += relative_error(&model.predict(from, to)?, &Raster::open(truth)?);
        }
        places += 1.0;
    }
    Ok(sums.map(|sum| sum / places))
}

fn relative_error(made: &Raster, truth: &Raster) -> f64 {
    let (made, truth) = (made.samples().to_f32(), truth.samples().to_f32());
    let largest = truth.iter().fold(0.0f32, |a, b| a.max(*b));
    let sum: f64 = made.iter().zip(&truth).map(|(a, b)| f64::from((a - b).abs())).sum();
    sum / made.len() as f64 / f64::from(largest)
}
