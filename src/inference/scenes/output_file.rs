//! The file of an output.

use std::path::Path;

use crate::error::Result;
use crate::inference::strategy::PieceSink;
use crate::raster::{BlockWriter, RasterSpec, RasterWriter, Samples};

/// A GeoTIFF that is written piece by piece and renamed when it is complete.
pub(super) enum OutputFile {
    /// Pieces have the width of the image.
    Rows(Box<RasterWriter>),
    /// Pieces consist of whole blocks.
    Blocks(Box<BlockWriter>),
}

impl OutputFile {
    /// Creates a file; `block` is the side of the blocks of which pieces consist, if they do not have the width of the
    /// image.
    pub fn create(path: &Path, spec: RasterSpec, block: Option<usize>) -> Result<Self> {
        Ok(match block {
            None => Self::Rows(Box::new(RasterWriter::create(path, spec)?)),
            Some(side) => Self::Blocks(Box::new(BlockWriter::create(path, spec, side)?)),
        })
    }

    /// Completes the file and renames it.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Rows(writer) => writer.finish(),
            Self::Blocks(writer) => writer.finish(),
        }
    }
}

impl PieceSink for OutputFile {
    fn put(&mut self, corner: (usize, usize), piece: &Samples) -> Result<()> {
        match self {
            Self::Rows(writer) => writer.write_rows(piece),
            Self::Blocks(writer) => writer.write(corner, piece),
        }
    }
}
