//! How fast chips are loaded, and what a folder of very many costs.
//!
//! ```text
//! cargo run --release --example loader -- chips DATA FOLDER       256-pixel chips in each format, of a bundled set
//! cargo run --release --example loader -- speed FOLDER WORKERS SECONDS
//! cargo run --release --example loader -- many SOURCE FOLDER 100000
//! cargo run --release --example loader -- scale FOLDER
//! ```
//!
//! Figures come one a line, `name value`; `cargo xtask compare-loader` reads them.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod chips;
mod many;
mod process;
mod scale;
mod speed;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;

/// Measures how fast chips are loaded, and what a folder of very many costs.
#[derive(Parser)]
#[command(name = "loader")]
enum Task {
    /// Makes 256-pixel chips in each format, of a bundled set
    Chips { data: PathBuf, folder: PathBuf },
    /// Loads the chips of a folder for some seconds
    Speed { folder: PathBuf, workers: usize, seconds: f64 },
    /// Makes a folder of very many chips
    Many { source: PathBuf, folder: PathBuf, each: usize },
    /// Tells what each phase of a start costs
    Scale { folder: PathBuf },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Task::parse() {
        Task::Chips { data, folder } => chips::make(&data, &folder),
        Task::Speed { folder, workers, seconds } => speed::measure(&folder, workers, seconds),
        Task::Many { source, folder, each } => many::make(&source, &folder, each),
        Task::Scale { folder } => scale::measure(&folder),
    }
}
