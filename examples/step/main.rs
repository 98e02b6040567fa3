//! Times training steps, for `cargo xtask compare` and `cargo xtask gpu-check`, which run it alongside PyTorch.
//!
//! ```text
//! step prepare [--model NAME] FOLDER SIDE BATCH
//!                                           write initial weights and batches in files that PyTorch reads
//! step run [--model NAME] FOLDER SIDE BATCH PRECISION
//!                                           take as many steps as each input line asks for
//! step doctor [--need-cuda]                 report the selected device and why
//!                                           (exits with 4 if CUDA is required but not usable)
//! step bench --json FILE SIDE BATCHES WAYS STEPS
//!                                           measure time and memory, one line of JSON per batch size and way
//! step trace FILE SIDE BATCHES WAYS         record steps with libtorch's profiler
//! step raster --json FILE [SIDE]            translate a scene with `predict_raster`
//! step translate --json FILE SIDE IMAGES    translate images one by one with `predict_array`
//! ```
//!
//! NAME is `cyclegan` (the default, and the model of all other tasks) or `pix2pix`. Lists are comma-separated: `1,8`
//! and `f32,tf32,bf16`. A way is a precision with optional suffixes: `+graph` (use CUDA graphs), `+operators` (use
//! libtorch's operators instead of this crate's CUDA layers), `+on-chip` (norms that read a map once, if it fits in
//! shared memory), `+no-recompute` (residual blocks keep all their maps) and `+search` (let cuDNN benchmark its kernels in every precision). Chips, the model and the scene are
//! read from the folder in GEOLEARN_ASSETS, or else from `assets` in the current folder.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

mod bench;
mod compare;
mod doctor;
mod memory;
mod model;
mod raster;
mod switch;
mod trace;
mod translate;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use model::Kind;
use work::{Outcome, Way, list, precision_of};

/// Times training steps. The header of `main.rs` describes the arguments.
#[derive(Parser)]
#[command(name = "step")]
enum Task {
    /// Write initial weights and batches in files that PyTorch reads
    Prepare {
        #[arg(long, value_enum, default_value_t)]
        model: Kind,
        folder: PathBuf,
        side: usize,
        batch: usize,
    },
    /// Take as many steps as each input line asks for
    Run {
        #[arg(long, value_enum, default_value_t)]
        model: Kind,
        folder: PathBuf,
        side: usize,
        batch: usize,
        precision: String,
    },
    /// Report the selected device and why
    Doctor {
        /// Exit with 4 if CUDA is not usable
        #[arg(long)]
        need_cuda: bool,
    },
    /// Measure time and memory of steps: one line of JSON per batch size and way
    Bench {
        /// File to append to
        #[arg(long, value_name = "FILE")]
        json: String,
        side: usize,
        batches: String,
        ways: String,
        steps: usize,
    },
    /// Record steps with libtorch's profiler
    Trace { file: String, side: usize, batches: String, ways: String },
    /// Translate a scene
    Raster {
        /// File to append to
        #[arg(long, value_name = "FILE")]
        json: PathBuf,
        /// Side of a square scene [default: the bundled scene]
        side: Option<usize>,
    },
    /// Measure how long the generator of the published recipe takes per image
    Translate {
        /// File to append to
        #[arg(long, value_name = "FILE")]
        json: PathBuf,
        side: usize,
        images: usize,
    },
}

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("step: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Outcome<ExitCode> {
    match task {
        Task::Prepare { model, folder, side, batch } => compare::prepare(model, &folder, side, batch)?,
        Task::Run { model, folder, side, batch, precision } => {
            compare::run(model, &folder, side, batch, precision_of(&precision)?)?;
        }
        Task::Doctor { need_cuda } => return doctor::examine(need_cuda),
        Task::Bench { json, side, batches, ways, steps } => {
            let counts = list(&batches)?;
            let here = |ways: &[Way<'_>]| bench::run(json.as_ref(), side, &counts, ways, steps);
            let (number, times) = (side.to_string(), steps.to_string());
            switch::each(&ways, here, |ways| owned(&["bench", "--json", &json, &number, &batches, ways, &times]))?;
        }
        Task::Trace { file, side, batches, ways } => {
            let counts = list(&batches)?;
            let here = |ways: &[Way<'_>]| trace::run(&file, side, &counts, ways);
            let number = side.to_string();
            switch::each(&ways, here, |ways| owned(&["trace", &file, &number, &batches, ways]))?;
        }
        Task::Raster { json, side } => raster::run(&json, side)?,
        Task::Translate { json, side, images } => translate::run(&json, side, images)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.into()).collect()
}
