//! `cargo xtask cuda-kernels`: compiles the CUDA kernels for several GPU generations, without a GPU, and checks their
//! resource use against limits.

mod nvrtc;
mod table;

use std::path::PathBuf;
use std::process::Stdio;

use crate::checkout::Checkout;
use crate::python::Python;
use crate::scratch::Scratch;
use crate::trouble::{Result, Trouble};

/// Parts of one source text, as the library joins them.
const SOURCES: [&str; 2] = ["src/ffi/cuda/layers.cu", "src/ffi/cuda/on_chip.cu"];
/// Calls NVRTC, which has no command-line program.
const COMPILE: &str = include_str!("compile.py");

/// The command-line options.
#[derive(Debug, Default, PartialEq)]
pub struct CudaKernels {
    /// An NVRTC wheel to use instead of downloading one.
    pub wheel: Option<PathBuf>,
}

pub fn check(checkout: &Checkout, asked: &CudaKernels) -> Result<()> {
    let wheel = match &asked.wheel {
        Some(wheel) => wheel.clone(),
        None => nvrtc::fetch()?,
    };
    let scratch = Scratch::new("nvrtc")?;
    nvrtc::unpack(&wheel, scratch.path())?;
    let python = Python::of_user();
    let mut command = python.command();
    command.args(["-c", COMPILE]).arg(scratch.path()).args(SOURCES.map(|source| checkout.root().join(source)));
    // NVRTC finds its second library by name.
    command.env("LD_LIBRARY_PATH", scratch.path()).stderr(Stdio::inherit());
    let output = command.output().map_err(|e| Trouble::new(format!("cannot start {python}: {e}")))?;
    if !output.status.success() {
        return Err(Trouble::new(format!(
            "{} do not compile ({}); see NVRTC's messages above",
            SOURCES.join(" and "),
            output.status
        )));
    }
    let rows = table::rows(&String::from_utf8_lossy(&output.stdout))?;
    print!("{}", table::text(&rows));
    table::judge(&rows)
}
