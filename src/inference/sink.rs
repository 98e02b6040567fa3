//! Where the rows of a translation go.

use super::parts::Parts;
use crate::error::Result;
use crate::raster::{Dtype, RasterWriter, Samples};

/// Takes rows from top to bottom.
pub(crate) trait Sink: Send {
    fn write(&mut self, rows: &Samples) -> Result<()>;
}

/// Straight into the file.
impl Sink for RasterWriter {
    fn write(&mut self, rows: &Samples) -> Result<()> {
        self.write_rows(rows)
    }
}

/// Into pieces beside the file, so that a later run can go on.
impl Sink for Parts {
    fn write(&mut self, rows: &Samples) -> Result<()> {
        self.add(rows)
    }
}

/// Rows in memory.
pub(crate) struct Rows {
    pub image: Samples,
    done: usize,
}

impl Rows {
    /// # Shapes
    /// (bands, H, W).
    pub fn new(dtype: Dtype, shape: (usize, usize, usize)) -> Self {
        Self { image: Samples::zeros(dtype, shape), done: 0 }
    }
}

impl Sink for Rows {
    fn write(&mut self, rows: &Samples) -> Result<()> {
        self.image.paste(self.done, 0, rows);
        self.done += rows.shape().1;
        Ok(())
    }
}
