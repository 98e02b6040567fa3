//! Imports generators of the CycleGAN research code without Python, translates a chip, and saves the model in this
//! crate's formats.
//!
//! ```text
//! cargo run --release --example import_pytorch -- [latest_net_G_A.pth [latest_net_G_B.pth]]
//! ```
//!
//! With one file, the model translates only from A to B. Without arguments it imports a bundled pair with random
//! weights, so the translation is only a pattern. The picture and the model are written to `out/import_pytorch`.

#![allow(clippy::print_stdout, reason = "this example prints to the terminal")]

use std::path::{Path, PathBuf};

use clap::Parser;
use geolearn::{CycleGan, Domain};

/// Translates a chip with generators of the research code, and saves them in this crate's formats.
#[derive(Parser)]
#[command(name = "import_pytorch")]
struct Arguments {
    /// latest_net_G_A.pth, from A to B [default: a bundled pair with random weights]
    net_g_a: Option<PathBuf>,
    /// latest_net_G_B.pth, from B to A
    net_g_b: Option<PathBuf>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Arguments { net_g_a, net_g_b } = Arguments::parse();
    let model = match (&net_g_a, &net_g_b) {
        (Some(a), Some(b)) => both(a, b)?,
        (Some(only), None) => {
            println!("  {}: from A to B, named G_B here", only.display());
            CycleGan::import_generator(only, Domain::B)?
        }
        (None, _) => {
            let fixtures = root.join("tests/fixtures/research");
            both(&fixtures.join("latest_net_G_A.pth"), &fixtures.join("latest_net_G_B.pth"))?
        }
    };
    let config = model.config();
    println!("Imported generators with {} blocks and {} features.", config.gen_blocks, config.gen_features);

    let out = Path::new("out/import_pytorch");
    std::fs::create_dir_all(out)?;
    let chip = root.join("assets/bluemarble/A/images/y0300_x0900.png");
    let made = model.predict_a2b(&chip)?;
    made.save(out.join("a2b.png"))?;
    println!(
        "Translated {} ({} x {}) to {}.",
        chip.display(),
        made.width(),
        made.height(),
        out.join("a2b.png").display()
    );

    let folder = model.save(out.join("imported"))?;
    let single = out.join("imported.safetensors");
    model.save_safetensors(&single)?;
    for path in [folder, single] {
        let again = CycleGan::from_model(&path, None)?.predict_a2b(&chip)?;
        if again != made {
            return Err(format!("{} gives a different picture after reloading", path.display()).into());
        }
        println!("Saved {}; after reloading it gives the same picture.", path.display());
    }
    Ok(())
}

fn both(net_g_a: &Path, net_g_b: &Path) -> geolearn::Result<CycleGan> {
    println!("  {}: from A to B, named G_B here", net_g_a.display());
    println!("  {}: from B to A, named G_A here", net_g_b.display());
    CycleGan::import_generators(net_g_a, net_g_b)
}
