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
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["chips", data, folder] => chips::make(Path::new(data), Path::new(folder)),
        ["speed", folder, workers, seconds] => speed::measure(Path::new(folder), workers.parse()?, seconds.parse()?),
        ["many", source, folder, each] => many::make(Path::new(source), Path::new(folder), each.parse()?),
        ["scale", folder] => scale::measure(Path::new(folder)),
        _ => {
            Err("give `chips`, `speed`, `many` or `scale` with its arguments; the top of this program tells them"
                .into())
        }
    }
}
