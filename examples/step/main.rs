//! A training step under the clock: for `cargo xtask compare` and `cargo xtask gpu-check`, which run it beside PyTorch.
//!
//! ```text
//! step prepare FOLDER SIDE BATCH            initial weights and batches, as files that PyTorch reads
//! step run FOLDER SIDE BATCH PRECISION      steps, as many as each line of the input asks for
//! step doctor [--need-cuda]                 the device that is chosen and why; ends with 4 where CUDA is needed and not had
//! step bench --json FILE SIDE BATCHES WAYS STEPS
//!                                           times of steps and memory, one line of JSON for each batch size and way
//! step trace FILE SIDE BATCHES WAYS         steps under libtorch's profiler
//! step raster --json FILE [SIDE]            a scene through `predict_raster`
//! ```
//!
//! Lists are separated by commas: `1,8` and `f32,tf32,bf16`. A way is a precision, and behind it, where wanted,
//! `+graph` (as CUDA graphs), `+operators` (of libtorch, not the layers of our own) and `+search` (by cuDNN, in every
//! precision). Chips, the model and the scene are looked for in the folder
//! that GEOLEARN_ASSETS names, else in `assets`, from the current folder.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that speaks to a terminal")]

mod bench;
mod compare;
mod doctor;
mod memory;
mod raster;
mod switch;
mod trace;
mod work;

use std::path::Path;
use std::process::ExitCode;

use work::{Outcome, Way, list, precision_of};

const USAGE: &str = "usage: step prepare FOLDER SIDE BATCH | run FOLDER SIDE BATCH PRECISION | doctor [--need-cuda] | \
    bench --json FILE SIDE BATCHES WAYS STEPS | trace FILE SIDE BATCHES WAYS | raster --json FILE [SIDE]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("step: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Outcome<ExitCode> {
    match *arguments {
        ["prepare", folder, side, batch] => compare::prepare(Path::new(folder), side.parse()?, batch.parse()?)?,
        ["run", folder, side, batch, precision] => {
            compare::run(Path::new(folder), side.parse()?, batch.parse()?, precision_of(precision)?)?;
        }
        ["doctor"] => return doctor::examine(false),
        ["doctor", "--need-cuda"] => return doctor::examine(true),
        ["bench", "--json", file, side, batches, ways, steps] => {
            let (number, counts, times) = (side.parse()?, list(batches)?, steps.parse()?);
            let here = |ways: &[Way<'_>]| bench::run(Path::new(file), number, &counts, ways, times);
            switch::each(ways, here, |ways| owned(&["bench", "--json", file, side, batches, ways, steps]))?;
        }
        ["trace", file, side, batches, ways] => {
            let (number, counts) = (side.parse()?, list(batches)?);
            let here = |ways: &[Way<'_>]| trace::run(file, number, &counts, ways);
            switch::each(ways, here, |ways| owned(&["trace", file, side, batches, ways]))?;
        }
        ["raster", "--json", file] => raster::run(Path::new(file), None)?,
        ["raster", "--json", file, side] => raster::run(Path::new(file), Some(side.parse()?))?,
        _ => return Err(USAGE.into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.into()).collect()
}
