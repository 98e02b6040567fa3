//! Evaluates a saved model: KID, FID and paired errors, alongside baselines.
//!
//! ```text
//! cargo run --release --example evaluate -- [MODEL [CHIPS [PAIRS_A PAIRS_B]]]
//! ```
//!
//! Without arguments it evaluates the bundled model on its chips and on the bundled held-out places. KID and FID need
//! the weights that `cargo xtask inception` downloads.

#![allow(clippy::print_stdout, reason = "this example prints to the terminal")]

use std::path::{Path, PathBuf};

use clap::Parser;
use geolearn::evaluation::MetricsOptions;
use geolearn::{CycleGan, DatasetType, PrepareData};

/// Evaluates a saved model; by default the bundled one, on its chips and on the bundled held-out places.
#[derive(Parser)]
#[command(name = "evaluate")]
struct Arguments {
    /// A saved model [default: the bundled one]
    model: Option<PathBuf>,
    /// Folder with the chips of both domains [default: the bundled one]
    chips: Option<PathBuf>,
    /// Images of domain A that show the same places as PAIRS_B
    #[arg(requires = "pairs_b")]
    pairs_a: Option<PathBuf>,
    /// Images of domain B that show the same places as PAIRS_A
    pairs_b: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bundled = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name);
    let Arguments { model, chips, pairs_a, pairs_b } = Arguments::parse();
    let model = model.unwrap_or_else(|| bundled("models/sat2relief"));
    let (chips, pairs) = match chips {
        Some(chips) => (chips, pairs_a.zip(pairs_b)),
        None => (bundled("bluemarble"), Some((bundled("bluemarble_test/a"), bundled("bluemarble_test/b")))),
    };
    // The same split as `train_demo_model`, so the bundled model has not seen the validation chips.
    let data = PrepareData::new(chips, DatasetType::CycleGan).val_split_pct(0.05).prepare()?;
    let mut model = CycleGan::from_model(model, Some(&data))?;
    let options = MetricsOptions::new();
    let options = match pairs {
        Some((a, b)) => options.pairs(a, b),
        None => options,
    };
    println!("{}", model.compute_metrics_with(options)?);
    Ok(())
}
