//! Reads TIFF like GDAL: the first image of the file, with its samples as stored.

mod blocks;
mod cmyk;
mod codec;
mod colors;
mod decoder;
mod fault;
mod gdal;
mod geo;
mod half;
mod image;
mod input;
mod kept;
mod layout;
mod lerc;
mod lzw;
mod numbers;
mod packbits;
mod pages;
mod samples;
mod writing;

pub(super) use self::image::Tiff;
pub(crate) use self::writing::BlockWriter;
pub(super) use self::writing::encoded;
pub use self::writing::{BigTiff, Blocks, Compression, Interleave, OverviewResampling, RasterSpec, RasterWriter};
