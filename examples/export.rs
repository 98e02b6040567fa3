//! Exports both generators of a saved model as TorchScript and ONNX, for use without this crate.
//!
//! ```text
//! cargo run --release --example export -- [MODEL [FOLDER]] [--file-units]
//! ```
//!
//! The default model is the bundled one, the default folder `out/export`. With `--file-units` the exported networks
//! read and write sample values as stored in files; otherwise values in [-1, 1].

#![allow(clippy::print_stdout, reason = "this example prints to the terminal")]

use std::path::{Path, PathBuf};

use clap::Parser;
use geolearn::models::{ExportOptions, ExportUnits};
use geolearn::{CycleGan, Domain};

/// Exports both generators of a saved model as TorchScript and ONNX.
#[derive(Parser)]
#[command(name = "export")]
struct Arguments {
    /// A saved model [default: the bundled one]
    model: Option<PathBuf>,
    /// Output folder
    #[arg(default_value = "out/export")]
    folder: PathBuf,
    /// Include scaling, band selection and rounding in the exported networks
    #[arg(long)]
    file_units: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sat2relief");
    let Arguments { model, folder, file_units } = Arguments::parse();
    let model = CycleGan::from_model(model.unwrap_or(bundled), None)?;
    let units = if file_units { ExportUnits::Files } else { ExportUnits::Network };
    let options = ExportOptions::new().units(units);
    for (to, name) in [(Domain::B, "a2b"), (Domain::A, "b2a")] {
        let script = folder.join(name).with_extension("pt");
        model.export_torchscript_with(&script, to, options.clone())?;
        told(&script, "module = torch.jit.load(PATH, _extra_files=(extra := {\"geolearn.json\": \"\"})).eval()")?;
        let onnx = folder.join(name).with_extension("onnx");
        model.export_onnx_with(&onnx, to, options.clone())?;
        told(&onnx, "session = onnxruntime.InferenceSession(PATH, providers=[\"CPUExecutionProvider\"])")?;
    }
    let values = if file_units { "sample values as rasterio reads them" } else { "in [-1, 1]" };
    println!("y = module(x), y, = session.run(None, {{\"input\": x}}): x and y of shape (N, C, H, W), {values}.");
    println!("Their geolearn.json entry describes how images are scaled; docs/export.md has a complete program.");
    Ok(())
}

/// Prints the path, the size, and the line of Python that opens the file.
fn told(path: &Path, python: &str) -> std::io::Result<()> {
    println!("{}: {} bytes", path.display(), path.metadata()?.len());
    println!("    {}", python.replace("PATH", &format!("{:?}", path.display().to_string())));
    Ok(())
}
