//! Measures how fast chips load, and the start-up cost of a very large folder.
//!
//! ```text
//! cargo run --release --example loader -- chips DATA FOLDER       make 256-pixel chips in each format
//! cargo run --release --example loader -- speed FOLDER WORKERS SECONDS
//! cargo run --release --example loader -- many SOURCE FOLDER 100000
//! cargo run --release --example loader -- scale FOLDER
//! ```
//!
//! Prints one `name value` pair per line, which `cargo xtask compare-loader` reads.
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod chips;
mod many;
mod process;
mod scale;
mod speed;

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;

/// Measures how fast chips load, and the start-up cost of a very large folder
#[derive(Parser)]
#[command(name = "loader")]
enum Task {
    /// Make 256-pixel chips in each format from the bundled chips
    Chips { data: PathBuf, folder: PathBuf },
    /// Load the chips of a folder for some seconds
    Speed { folder: PathBuf, workers: usize, seconds: f64 },
    /// Make a folder with a very large number of chips
    Many { source: PathBuf, folder: PathBuf, each: usize },
    /// Measure the time and memory of each start-up phase
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
