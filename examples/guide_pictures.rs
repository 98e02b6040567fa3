//! Draws the figures of `docs/how-cyclegan-works.md` from the bundled chips and model.
//!
//! ```text
//! cargo run --release --example guide_pictures -- [FOLDER]
//! ```

#![allow(clippy::print_stdout, reason = "this example prints to the terminal")]

use std::path::{Path, PathBuf};

use clap::Parser;
use geolearn::{CycleGan, DatasetType, PrepareData, Result};

/// Draws the figures of the guide.
#[derive(Parser)]
#[command(name = "guide_pictures")]
struct Arguments {
    /// Output folder
    #[arg(default_value = "docs/images")]
    folder: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { folder } = Arguments::parse();
    let assets = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let data = PrepareData::new(assets.join("bluemarble"), DatasetType::CycleGan).prepare()?;
    let model = CycleGan::from_model(assets.join("models/sat2relief"), Some(&data))?;
    for (name, picture) in [("guide_batch.jpg", data.show_batch(3)?), ("guide_results.jpg", model.show_results(3)?)] {
        let path = folder.join(name);
        picture.save(&path)?;
        println!("{}", path.display());
    }
    Ok(())
}
