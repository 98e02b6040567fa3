//! One side of an image, cut into the sides of tiles.

use std::ops::Range;

use super::halo::Halo;
use super::steps::MOST_BORDERS;

/// One side of a tile: what it makes, and what it has to see for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub made: Range<usize>,
    pub seen: Range<usize>,
}

/// Spans beside each other, as few as cover a range and about as long as each other. Each is worked out when it is asked
/// for: a list of them would fill the memory where a scene is wide enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spans {
    range: Range<usize>,
    step: usize,
    halo: Halo,
    /// Length of the image.
    length: usize,
}

impl Spans {
    /// Covers a `range` of an image of `length` pixels by spans of at most `most` pixels, which are multiples of `grid`
    /// except for the last.
    pub fn new(range: &Range<usize>, most: usize, halo: Halo, length: usize, grid: usize) -> Self {
        let count = range.len().div_ceil(most).max(1);
        let step = range.len().div_ceil(count).next_multiple_of(grid);
        Self { range: range.clone(), step, halo, length }
    }

    /// Covers all of an image of `length` pixels by one span.
    pub fn one(length: usize) -> Self {
        Self { range: 0..length, step: length.max(1), halo: Halo::NONE, length }
    }

    /// Returns how many spans there are.
    pub fn len(&self) -> usize {
        self.range.len().div_ceil(self.step)
    }

    /// Returns where the first span begins.
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

    /// Returns where spans begin within the range, except the first.
    pub fn inner_starts(&self) -> Vec<usize> {
        (1..self.len()).map(|index| index * self.step).take(MOST_BORDERS).collect()
    }
}
