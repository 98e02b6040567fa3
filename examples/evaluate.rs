//! How good the translations of a saved model are: KID, FID and errors against the truth, beside baselines.
//!
//! ```text
//! cargo run --release --example evaluate -- [MODEL [CHIPS [PAIRS_A PAIRS_B]]]
//! ```
//!
//! Without arguments it takes the bundled model, its chips and the bundled unseen places. KID and FID need the weights
//! that `cargo xtask inception` fetches.

#![allow(clippy::print_stdout, reason = "a program that speaks to a terminal")]

use std::path::{Path, PathBuf};

use geolearn::{CycleGan, DatasetType, MetricsOptions, PrepareData};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bundled = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("assets").join(name);
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let model = arguments.next().unwrap_or_else(|| bundled("models/sat2relief"));
    let (chips, pairs) = match arguments.next() {
        Some(chips) => (chips, arguments.next().zip(arguments.next())),
        None => (bundled("bluemarble"), Some((bundled("bluemarble_test/a"), bundled("bluemarble_test/b")))),
    };
    // The split of `train_demo_model`, so that the bundled model has not seen the validation chips.
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
