//! Whatever the crate's own readers refuse, read by the GDAL that is installed (feature `gdal`).

mod blocks;
mod dataset;
mod fault;
mod header;
mod image;
mod mask;
mod open;
mod place;
mod sample_type;

pub(super) use open::{open, open_refused};
