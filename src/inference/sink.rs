//! Where the pieces of a translation go.

use std::path::Path;

use super::parts::Parts;
use crate::error::Result;
use crate::raster::{BlockWriter, RasterSpec, RasterWriter, Samples};

/// Takes pieces from top to bottom, and from left to right.
pub(crate) trait Sink: Send {
    /// The piece that begins at this row and column.
    fn write(&mut self, at: (usize, usize), piece: &Samples) -> Result<()>;
}

/// Straight into the file.
pub(crate) enum File {
    /// Pieces are as wide as the image.
    Rows(Box<RasterWriter>),
    /// Pieces are of whole blocks.
    Blocks(Box<BlockWriter>),
}

impl File {
    /// `block` is the side of blocks that pieces are made of, where they are not as wide as the image.
    pub fn create(path: &Path, spec: RasterSpec, block: Option<usize>) -> Result<Self> {
        Ok(match block {
            None => Self::Rows(Box::new(RasterWriter::create(path, spec)?)),
            Some(side) => Self::Blocks(Box::new(BlockWriter::create(path, spec, side)?)),
        })
    }

    pub fn finish(self) -> Result<()> {
        match self {
            Self::Rows(writer) => writer.finish(),
            Self::Blocks(writer) => writer.finish(),
        }
    }
}

impl Sink for File {
    fn write(&mut self, at: (usize, usize), piece: &Samples) -> Result<()> {
        match self {
            Self::Rows(writer) => writer.write_rows(piece),
            Self::Blocks(writer) => writer.write(at, piece),
        }
    }
}

/// Into files beside the output, so that a later run can go on.
impl Sink for Parts {
    fn write(&mut self, at: (usize, usize), piece: &Samples) -> Result<()> {
        self.add(at, piece)
    }
}

/// An image in memory.
impl Sink for Samples {
    fn write(&mut self, (row, column): (usize, usize), piece: &Samples) -> Result<()> {
        self.paste(row, column, piece);
        Ok(())
    }
}
