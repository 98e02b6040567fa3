//! Tests the kernels of `src/ffi/cuda/layers.cu` and `on_chip.cu` without a GPU: `src/ffi/cuda/emulated.cpp` runs them
//! on the CPU.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of a test")]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../src/testing/python.rs"]
#[allow(dead_code, reason = "shared by all tests")]
mod python;

fn of_checkout(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Compiles the emulated kernels into `made`, with the additional arguments `more`.
fn compile(made: &Path, more: &[&str]) {
    let mut compiler = Command::new(std::env::var_os("CXX").unwrap_or_else(|| "c++".into()));
    compiler.args(["-std=c++17", "-O2", "-Wno-unknown-pragmas", "-o"]).arg(made);
    compiler.arg(of_checkout("src/ffi/cuda/emulated.cpp")).args(more);
    let output = compiler.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Tolerances: sums within 1e-12 (f64) or 1e-5 (f32, bf16) of the magnitude of the terms, and one rounding of 2^-8 for
/// bf16.
#[test]
fn each_kernel_is_near_plain_loops_in_f64() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("references");
    compile(&program, &["tests/cuda_kernels/references.cpp"]);
    let output = Command::new(&program).output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Compares with PyTorch in f64: within 1e-12 (f64) or 1e-5 (f32, bf16) of the largest value, and one rounding of 2^-8
/// for bf16.
#[test]
fn layers_and_their_gradients_are_near_those_of_pytorch() {
    let Some(python) = python::named_by("GEOLEARN_TEST_PYTHON") else { return };
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("emulated.so");
    compile(&library, &["-shared", "-fPIC"]);
    python::output(&python, &[&of_checkout("tests/cuda_kernels/against_pytorch.py"), &library]);
}
