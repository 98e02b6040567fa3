//! The sides of tiles along one side of an image.

use std::ops::Range;

use super::halo::Halo;
use super::steps::MOST_BORDERS;

/// One side of a tile: the pixels that it covers, and those that it has to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub made: Range<usize>,
    pub seen: Range<usize>,
}

/// Adjacent spans, as few as cover a range and about equally long. Each is computed on demand: a list of them would
/// fill the memory if a scene is wide enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spans {
    range: Range<usize>,
    step: usize,
    halo: Halo,
    /// Length of the image.
    length: usize,
}

impl Spans {
    /// Covers a `range` of an image of `length` pixels with spans of at most `most` pixels, which are multiples of
    /// `grid` except for the last.
    pub fn new(range: &Range<usize>, most: usize, halo: Halo, length: usize, grid: usize) -> Self {
        let count = range.len().div_ceil(most).max(1);
        let step = range.len().div_ceil(count).next_multiple_of(grid);
        Self { range: range.clone(), step, halo, length }
    }

    /// Covers an image of `length` pixels with one span.
    pub fn one(length: usize) -> Self {
        Self { range: 0..length, step: length.max(1), halo: Halo::NONE, length }
    }

    /// Returns the number of spans.
    pub fn len(&self) -> usize {
        self.range.len().div_ceil(self.step)
    }

    /// Returns the start of the first span.
    pub fn start(&self) -> usize {
        self.range.start
    }

    pub fn get(&self, index: usize) -> Span {
        let start = self.range.start + index * self.step;
        let made = start..(start + self.step).min(self.range.end);
        Span { seen: self.halo.around(&made, self.length), made }
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Returns the starts of spans within the range, except the first.
    pub fn inner_starts(&self) -> Vec<usize> {
        (1..self.len()).map(|index| index * self.step).take(MOST_BORDERS).collect()
    }
}
