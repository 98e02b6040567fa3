//! `cargo xtask cuda-kernels`: compiles the CUDA kernels for several generations of GPUs, without having one, and holds what
//! they need against limits.

mod nvrtc;
mod table;

use std::path::PathBuf;
use std::process::Stdio;

use crate::checkout::Checkout;
use crate::python::Python;
use crate::scratch::Scratch;
use crate::trouble::{Result, Trouble};

const SOURCE: &str = "src/ffi/cuda/layers.cu";
/// Calls NVRTC, which has no command of its own.
const COMPILE: &str = include_str!("compile.py");

/// What the command line asks for.
#[derive(Debug, Default, PartialEq)]
pub struct CudaKernels {
    /// The wheel of NVRTC, where it need not be fetched.
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
    command.args(["-c", COMPILE]).arg(scratch.path()).arg(checkout.root().join(SOURCE));
    // NVRTC looks for its second library by name.
    command.env("LD_LIBRARY_PATH", scratch.path()).stderr(Stdio::inherit());
    let output = command.output().map_err(|e| Trouble::new(format!("cannot start {python}: {e}")))?;
    if !output.status.success() {
        return Err(Trouble::new(format!("{SOURCE} does not compile ({}); NVRTC says above why", output.status)));
    }
    let rows = table::rows(&String::from_utf8_lossy(&output.stdout))?;
    print!("{}", table::text(&rows));
    table::judge(&rows)
}
