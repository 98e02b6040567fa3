//! Where the pieces of a translation go.

use crate::error::Result;
use crate::raster::Samples;

/// Takes pieces from top to bottom, and from left to right within the same rows.
pub(crate) trait PieceSink: Send {
    /// Takes the piece that begins at this row and column.
    fn put(&mut self, corner: (usize, usize), piece: &Samples) -> Result<()>;
}

/// An image in memory.
impl PieceSink for Samples {
    fn put(&mut self, (row, column): (usize, usize), piece: &Samples) -> Result<()> {
        self.paste(row, column, piece);
        Ok(())
    }
}
