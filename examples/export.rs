//! A saved model for programs that know nothing of this crate: both generators as TorchScript and as ONNX.
//!
//! ```text
//! cargo run --release --example export -- [MODEL [FOLDER]]
//! ```
//!
//! Without a model it takes the bundled one; without a folder, `out/export`.

#![allow(clippy::print_stdout, reason = "a program that speaks to a terminal")]

use std::path::{Path, PathBuf};

use geolearn::{CycleGan, Domain};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/models/sat2relief");
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let model = CycleGan::from_model(arguments.next().unwrap_or(bundled), None)?;
    let folder = arguments.next().unwrap_or_else(|| Path::new("out").join("export"));
    for (to, name) in [(Domain::B, "a2b"), (Domain::A, "b2a")] {
        let script = folder.join(name).with_extension("pt");
        model.export_torchscript(&script, to)?;
        told(&script, "module = torch.jit.load(PATH, _extra_files=(extra := {\"geolearn.json\": \"\"})).eval()")?;
        let onnx = folder.join(name).with_extension("onnx");
        model.export_onnx(&onnx, to)?;
        told(&onnx, "session = onnxruntime.InferenceSession(PATH, providers=[\"CPUExecutionProvider\"])")?;
    }
    println!("y = module(x), y, = session.run(None, {{\"input\": x}}): x and y of shape (N, C, H, W), in [-1, 1].");
    println!("geolearn.json in them tells how images are scaled; docs/interop.md has a whole program.");
    Ok(())
}

/// Path, size, and the line of Python that opens the file.
fn told(path: &Path, python: &str) -> std::io::Result<()> {
    println!("{}: {} bytes", path.display(), path.metadata()?.len());
    println!("    {}", python.replace("PATH", &format!("{:?}", path.display().to_string())));
    Ok(())
}
