//! Trains one recipe for a given time and evaluates its translations, for `cargo xtask quality`.
//!
//! ```text
//! quality recipes NAMES                      list each recipe: its name, a tab, and what it changes
//! quality prepare FOLDER --chips FOLDER [--paired]
//!                                            copy training and held-out chips, keeping pairs together,
//!                                            and save an untrained CycleGAN and the value ranges, for PyTorch
//! quality baselines FOLDER                   print the metrics of the baselines
//! quality time FOLDER --recipe NAME --seconds S
//!                                            print the seconds per training step, measured for S seconds
//! quality train FOLDER --recipe NAME --seed N --seconds S --step-seconds S --weights FILE
//!                                            train as many whole epochs as fit into the time at the given seconds
//!                                            per step; print what was done
//! quality judge FOLDER --recipe NAME --weights FILE [--picture FILE]
//!                                            print the metrics of the saved model
//! ```
//!
//! NAMES is a comma-separated list; recipes can be combined with `+`. All tasks except `recipes` and `judge` also take
//! `--features N` and `--blocks N`; `baselines` and `judge` take `--pairs-a FOLDER --pairs-b FOLDER`, images of the
//! same places. All other results are one line of JSON.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this example prints to the terminal")]

mod arguments;
mod chips;
mod clock;
mod judging;
mod model;
mod recipes;
mod training;

use std::error::Error;
use std::process::ExitCode;

use arguments::Task;
use clap::Parser;

/// Any error of this program.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    match run(Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("quality: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Outcome<()> {
    let answer = match task {
        Task::Recipes { names } => return recipes::describe(&names),
        Task::Prepare { folder, chips, paired, size } => return judging::prepare(&folder, &chips, paired, &size),
        Task::Baselines { folder, size, pairs } => judging::baselines(&folder, &size, pairs.both())?,
        Task::Time { folder, recipe, seconds, size } => training::time(&folder, &recipe, seconds, &size)?,
        Task::Train(asked) => training::train(&asked)?,
        Task::Judge { folder, recipe, weights, picture, pairs } => {
            let kind = recipes::kind_of(&recipe)?;
            judging::judge((&folder, kind), &weights, picture.as_deref(), pairs.both())?
        }
    };
    println!("{answer}");
    Ok(())
}
