//! Reads everything that this crate's own readers reject with the installed GDAL (feature `gdal`).

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
