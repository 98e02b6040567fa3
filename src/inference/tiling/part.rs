//! A rectangle of an image.

use std::ops::Range;

/// A part of an image in whole pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Part {
    /// Returns all of an image of this height and width.
    pub fn whole((height, width): (usize, usize)) -> Self {
        Self { rows: 0..height, columns: 0..width }
    }

    /// Returns height and width.
    pub fn size(&self) -> (usize, usize) {
        (self.rows.len(), self.columns.len())
    }

    /// Returns the row and column of the upper left corner.
    pub fn corner(&self) -> (usize, usize) {
        (self.rows.start, self.columns.start)
    }

    pub fn pixels(&self) -> u64 {
        self.rows.len() as u64 * self.columns.len() as u64
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() || self.columns.is_empty()
    }
}
