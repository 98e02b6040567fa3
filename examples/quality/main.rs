//! Trains one recipe for a given time and measures its translations, for `cargo xtask quality`.
//!
//! ```text
//! quality recipes NAMES                      a line for each recipe: its name, a tab, what it changes
//! quality prepare FOLDER --chips FOLDER [--paired]
//!                                            copies chips to train on and unseen ones, pairs together where they are such,
//!                                            and saves an untrained CycleGAN and the ranges of values, for PyTorch
//! quality baselines FOLDER                   answers with the metrics of what learns nothing
//! quality time FOLDER --recipe NAME --seconds S
//!                                            answers with the seconds of a training step, measured for S seconds
//! quality train FOLDER --recipe NAME --seed N --seconds S --step-seconds S --weights FILE
//!                                            trains as many whole epochs as fit into the seconds, where a step takes so
//!                                            long; answers with what was done
//! quality judge FOLDER --recipe NAME --weights FILE [--picture FILE]
//!                                            answers with the metrics of the saved model
//! ```
//!
//! NAMES are separated by commas, and a recipe may be several joined by `+`. All but `recipes` and `judge` take
//! `--features N` and `--blocks N` too, `baselines` and `judge` `--pairs-a FOLDER --pairs-b FOLDER`, images of the same
//! places. An answer is one line of JSON.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that speaks to a terminal")]

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

/// What can go wrong in any way.
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
