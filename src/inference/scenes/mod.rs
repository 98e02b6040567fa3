//! Tier 3 of 3: scenes in files. Checks the options and the files of a call, has each part translated by a `strategy`,
//! and writes the result, or keeps it so that a later call can resume.

mod events;
mod fingerprint;
mod inputs;
mod options;
mod output_file;
mod output_writer;
mod outputs;
mod predict_raster;
mod report;
mod resume_folder;
mod resume_store;
mod settings;
mod shares;
mod sharing;

pub use options::RasterOptions;
pub(crate) use predict_raster::{RasterRequest, predict_raster};
pub use report::RasterReport;
