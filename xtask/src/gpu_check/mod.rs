//! `cargo xtask gpu-check`: packs the checks for a GPU machine without Rust (`xtask/gpu/run.sh` runs them there), and
//! writes the results into `docs/performance.md`.

mod pack;
mod page;
mod report;
mod results;
mod trace;

use std::fs;
use std::path::PathBuf;

use crate::checkout::Checkout;
use crate::trouble::{Result, Trouble};

/// The page with the results.
const PAGE: &str = "docs/performance.md";

/// The command-line options.
#[derive(Debug, PartialEq)]
pub enum GpuCheck {
    Pack {
        /// The cargo profile.
        profile: String,
    },
    Report {
        /// The folder with the results of `run.sh`.
        results: PathBuf,
        /// A page to write to instead of the checkout's.
        page: Option<PathBuf>,
    },
}

pub fn run(checkout: &Checkout, asked: &GpuCheck) -> Result<()> {
    match asked {
        GpuCheck::Pack { profile } => pack::pack(checkout, profile),
        GpuCheck::Report { results, page } => {
            let page = page.clone().unwrap_or_else(|| checkout.root().join(PAGE));
            let text = report::text(&results::Results::read(results)?)?;
            let old = fs::read_to_string(&page).map_err(Trouble::file("cannot read", &page))?;
            let new = page::replaced(&old, &text).map_err(|trouble| trouble.advice(page::advice(&page)))?;
            fs::write(&page, new).map_err(Trouble::file("cannot write", &page))?;
            print!("{text}");
            eprintln!("xtask: wrote {}", page.display());
            Ok(())
        }
    }
}
