//! The destination of the pieces of a translation.

use crate::error::Result;
use crate::raster::Samples;

/// Receives pieces from top to bottom, and from left to right within the same rows.
pub(crate) trait PieceSink: Send {
    /// Receives the piece that starts at this row and column.
    fn put(&mut self, corner: (usize, usize), piece: &Samples) -> Result<()>;
}

/// An image in memory.
impl PieceSink for Samples {
    fn put(&mut self, (row, column): (usize, usize), piece: &Samples) -> Result<()> {
        self.paste(row, column, piece);
        Ok(())
    }
}
