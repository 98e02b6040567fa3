//! A training step under the clock: for `cargo xtask compare` and `cargo xtask gpu-check`, which run it beside PyTorch.
//!
//! ```text
//! step prepare [--model NAME] FOLDER SIDE BATCH
//!                                           initial weights and batches, as files that PyTorch reads
//! step run [--model NAME] FOLDER SIDE BATCH PRECISION
//!                                           steps, as many as each line of the input asks for
//! step doctor [--need-cuda]                 the device that is chosen and why; ends with 4 where CUDA is needed and not had
//! step bench --json FILE SIDE BATCHES WAYS STEPS
//!                                           times of steps and memory, one line of JSON for each batch size and way
//! step trace FILE SIDE BATCHES WAYS         steps under libtorch's profiler
//! step raster --json FILE [SIDE]            a scene through `predict_raster`
//! step translate --json FILE SIDE IMAGES    images through `predict_array`, one by one
//! ```
//!
//! NAME is `cyclegan`, which it is where none is given and in all other tasks, or `pix2pix`. Lists are separated by commas: `1,8` and `f32,tf32,bf16`. A way is a precision, and behind it, where wanted,
//! `+graph` (as CUDA graphs), `+operators` (of libtorch, not the layers of our own) and `+search` (by cuDNN, in every
//! precision). Chips, the model and the scene are looked for in the folder
//! that GEOLEARN_ASSETS names, else in `assets`, from the current folder.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that speaks to a terminal")]

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

/// Puts a training step under the clock. The top of this program tells what ways are.
#[derive(Parser)]
#[command(name = "step")]
enum Task {
    /// Writes initial weights and batches, as files that PyTorch reads
    Prepare {
        #[arg(long, value_enum, default_value_t)]
        model: Kind,
        folder: PathBuf,
        side: usize,
        batch: usize,
    },
    /// Takes as many steps as each line of the input asks for
    Run {
        #[arg(long, value_enum, default_value_t)]
        model: Kind,
        folder: PathBuf,
        side: usize,
        batch: usize,
        precision: String,
    },
    /// Tells the device that is chosen and why
    Doctor {
        /// End with 4 where CUDA is not had
        #[arg(long)]
        need_cuda: bool,
    },
    /// Measures times of steps and memory: one line of JSON for each batch size and way
    Bench {
        /// File to which lines are added
        #[arg(long, value_name = "FILE")]
        json: String,
        side: usize,
        batches: String,
        ways: String,
        steps: usize,
    },
    /// Takes steps under libtorch's profiler
    Trace { file: String, side: usize, batches: String, ways: String },
    /// Translates a scene
    Raster {
        /// File to which lines are added
        #[arg(long, value_name = "FILE")]
        json: PathBuf,
        /// Side of a square scene [default: the bundled scene]
        side: Option<usize>,
    },
    /// Measures how long the generator of the published recipe takes for an image
    Translate {
        /// File to which a line is added
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
