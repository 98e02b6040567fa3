//! How an image is cut into tiles.

use std::ops::Range;

use super::pass::{Area, Borders, MOST_BORDERS, Steps};
use super::sizes::Sizes;

/// The networks halve height and width twice: tiles that begin at multiples of this are seen as in the whole image.
const GRID: usize = 4;
/// Sides below this cost as much as this.
const LEAST_SIDE: usize = 8;
/// What one step may take, input and output together.
pub(super) const STEP_BYTES: usize = 256 << 20;
/// Side of the blocks of the output, where tiles are that large.
const BLOCK: usize = 256;
/// What sides of blocks have to be multiples of.
const BLOCK_GRID: usize = 16;

/// A part of an image in whole pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl Part {
    pub fn whole((height, width): (usize, usize)) -> Self {
        Self { rows: 0..height, columns: 0..width }
    }

    pub fn size(&self) -> (usize, usize) {
        (self.rows.len(), self.columns.len())
    }

    pub fn pixels(&self) -> u64 {
        self.rows.len() as u64 * self.columns.len() as u64
    }
}

/// One side of a tile: what it makes, and what it has to see for that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Span {
    pub made: Range<usize>,
    pub seen: Range<usize>,
}

/// Bytes of a pixel of input and output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PixelBytes {
    pub read: usize,
    pub made: usize,
}

impl PixelBytes {
    /// Of tiles beside each other that make `height` x `width` pixels.
    fn of_step(self, height: usize, width: usize, halo: usize) -> usize {
        let seen = (height + 2 * halo).saturating_mul(width + 2 * halo);
        seen.saturating_mul(self.read).saturating_add(height.saturating_mul(width).saturating_mul(self.made))
    }
}

/// Tiles without overlap, each with a halo that is only looked at, row after row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TilePlan {
    pub rows: Spans,
    pub columns: Spans,
    /// Tiles beside each other that are read and written together.
    at_once: usize,
    /// Side of the output's blocks, where it is written piece by piece and not row by row: each step fills whole blocks.
    pub block: Option<usize>,
}

impl TilePlan {
    /// Covers `part` of an image by tiles of at most `side` x `side` pixels; wider where the image is low.
    ///
    /// A step is a row of tiles, or as many of it as memory should be taken for: lower tiles would need less, and have
    /// more halo for each pixel.
    pub fn new(image: (usize, usize), part: &Part, sizes: Sizes, bytes: PixelBytes) -> Self {
        let Sizes { side, halo, step_bytes } = sizes;
        let (height, width) = part.size();
        let down = side.min(height).max(1);
        let across = (side * side / down.max(LEAST_SIDE)).min(width).max(1);
        let plan = |down: usize, across: usize, grid: usize| {
            (Spans::new(&part.rows, down, halo, image.0, grid), Spans::new(&part.columns, across, halo, image.1, grid))
        };
        // The writer gathers a row of blocks.
        let gathered = BLOCK.saturating_mul(width).saturating_mul(bytes.made);
        if bytes.of_step(down, width, halo).max(gathered) <= step_bytes {
            let (rows, columns) = plan(down, across, GRID);
            return Self { rows, at_once: columns.len(), columns, block: None };
        }
        let block = if side < BLOCK { (side / BLOCK_GRID * BLOCK_GRID).max(BLOCK_GRID) } else { BLOCK };
        let whole_blocks = |length: usize| (length / block * block).max(block);
        let (rows, columns) = plan(whole_blocks(side), whole_blocks(across), block);
        let (down, across) = (rows.get(0).made.len(), columns.get(0).made.len());
        let fits = |tiles: &usize| bytes.of_step(down, tiles * across, halo) <= step_bytes;
        let most = (1..=columns.len()).take_while(fits).last().unwrap_or(1);
        let at_once = columns.len().div_ceil(columns.len().div_ceil(most));
        Self { rows, columns, at_once, block: Some(block) }
    }

    /// An image as one tile.
    pub fn whole((height, width): (usize, usize)) -> Self {
        let span = |length: usize| Spans { range: 0..length, step: length.max(1), halo: 0, end: length };
        Self { rows: span(height), columns: span(width), at_once: 1, block: None }
    }

    /// The row of tiles of step `index`, and the places of its columns among all of them.
    pub fn step(&self, index: usize) -> (Span, Range<usize>) {
        let groups = self.columns.len().div_ceil(self.at_once);
        let first = index % groups * self.at_once;
        (self.rows.get(index / groups), first..(first + self.at_once).min(self.columns.len()))
    }

    pub fn borders(&self) -> Borders {
        Borders { rows: self.rows.inner_starts(), columns: self.columns.inner_starts() }
    }
}

impl Steps for TilePlan {
    fn count(&self) -> usize {
        self.rows.len().saturating_mul(self.columns.len().div_ceil(self.at_once))
    }

    fn reads(&self, index: usize) -> Area {
        let (rows, columns) = self.step(index);
        (rows.seen, self.columns.get(columns.start).seen.start..self.columns.get(columns.end - 1).seen.end)
    }

    fn makes(&self, index: usize) -> Area {
        let (rows, columns) = self.step(index);
        let (top, left) = (self.rows.range.start, self.columns.range.start);
        let (first, last) = (self.columns.get(columns.start).made, self.columns.get(columns.end - 1).made);
        (rows.made.start - top..rows.made.end - top, first.start - left..last.end - left)
    }
}

/// Spans beside each other, as few as cover a range, about as long as each other. They are found when they are asked for:
/// a scene may be wide enough for a list of them to fill the memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spans {
    range: Range<usize>,
    step: usize,
    halo: usize,
    /// Length of the image.
    end: usize,
}

impl Spans {
    /// Of at most `most` pixels, multiples of `grid` but for the last.
    fn new(range: &Range<usize>, most: usize, halo: usize, end: usize, grid: usize) -> Self {
        let length = range.len();
        let count = length.div_ceil(most).max(1);
        let step = length.div_ceil(count).next_multiple_of(grid);
        Self { range: range.clone(), step, halo, end }
    }

    pub fn len(&self) -> usize {
        self.range.len().div_ceil(self.step)
    }

    pub fn get(&self, index: usize) -> Span {
        let start = self.range.start + index * self.step;
        let stop = (start + self.step).min(self.range.end);
        let seen_start = start.saturating_sub(self.halo) / GRID * GRID;
        let seen_end = (stop + self.halo).next_multiple_of(GRID).min(self.end);
        Span { made: start..stop, seen: seen_start..seen_end }
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = Span> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    fn inner_starts(&self) -> Vec<usize> {
        (1..self.len()).map(|index| index * self.step).take(MOST_BORDERS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(image: (usize, usize), part: &Part, (side, halo): (usize, usize), bytes: PixelBytes) -> TilePlan {
        let plan = TilePlan::new(image, part, Sizes { side, halo, step_bytes: STEP_BYTES }, bytes);
        for (spans, range, end) in [(&plan.rows, &part.rows, image.0), (&plan.columns, &part.columns, image.1)] {
            let spans: Vec<Span> = spans.iter().collect();
            assert_eq!((spans[0].made.start, spans.last().unwrap().made.end), (range.start, range.end));
            assert!(spans.windows(2).all(|pair| pair[0].made.end == pair[1].made.start));
            for Span { made, seen } in spans {
                assert!(seen.start <= made.start.saturating_sub(halo) && seen.start % GRID == 0);
                assert!(seen.end >= (made.end + halo).min(end) && seen.end <= end);
                assert!(seen.end % GRID == 0 || seen.end == end);
            }
        }
        let made: usize = (0..plan.count()).map(|step| plan.makes(step)).map(|(a, b)| a.len() * b.len()).sum();
        assert_eq!(made as u64, part.pixels());
        plan
    }

    const SMALL: PixelBytes = PixelBytes { read: 6, made: 6 };

    #[test]
    fn tiles_cover_any_part_once_and_see_from_the_grid_on() {
        for image in [(1, 1), (1, 40_000), (40_000, 1), (7, 13), (512, 512), (1000, 1537), (2048, 3001)] {
            covers(image, &Part::whole(image), (256, 36), SMALL);
        }
        covers((1000, 1000), &Part { rows: 13..777, columns: 501..502 }, (128, 36), SMALL);
    }

    #[test]
    fn a_small_image_is_one_tile_and_a_strip_is_cut_across() {
        for image in [(900, 1000), (1, 100_000)] {
            let (plan, whole) = (covers(image, &Part::whole(image), (1024, 36), SMALL), TilePlan::whole(image));
            assert_eq!((plan.count(), whole.count()), (1, 1));
            assert_eq!((plan.reads(0), plan.makes(0)), (whole.reads(0), whole.makes(0)));
        }
        let strip = covers((40_000, 5), &Part::whole((40_000, 5)), (256, 36), SMALL);
        assert_eq!(strip.columns.len(), 1);
    }

    /// Of 13 bands of 2 bytes in and as many out, and of small tiles on a very wide scene.
    #[test]
    fn steps_of_a_wide_image_take_no_more_memory_and_fill_blocks() {
        let many = PixelBytes { read: 26, made: 26 };
        for (image, sizes, bytes) in [
            ((10_980, 10_980), (1024, 64), many),
            ((40_000, 40_000), (1024, 64), PixelBytes { read: 26, made: 3 }),
            ((40_000, 40_000), (2048, 64), many),
            ((300, 2_000_000), (1024, 64), many),
            ((20_000, 200_000), (1024, 64), PixelBytes { read: 8, made: 3 }),
            ((2_000, 1_000_000), (100, 36), many),
            ((100, 2_000_000), (8, 0), many),
        ] {
            let part = Part { rows: 0..image.0, columns: 3..image.1 };
            let plan = covers(image, &part, sizes, bytes);
            let block = plan.block.unwrap();
            for step in 0..plan.count() {
                let ((rows, columns), made) = (plan.reads(step), plan.makes(step));
                let taken = rows.len() * columns.len() * bytes.read + made.0.len() * made.1.len() * bytes.made;
                // Halos end on the grid.
                assert!(taken <= STEP_BYTES + 8 * (rows.len() + columns.len()) * bytes.read, "{taken} for {image:?}");
                let (height, width) = part.size();
                assert!(made.0.start % block == 0 && (made.0.end % block == 0 || made.0.end == height));
                assert!(made.1.start % block == 0 && (made.1.end % block == 0 || made.1.end == width));
            }
        }
    }

    /// A plan takes no memory for its tiles, however many there are.
    #[test]
    fn a_scene_of_any_width_is_planned() {
        let (length, sizes) = (i32::MAX as usize, Sizes { side: 32, halo: 8, step_bytes: STEP_BYTES });
        let plan = TilePlan::new((length, length), &Part::whole((length, length)), sizes, SMALL);
        let last = plan.makes(plan.count() - 1);
        assert_eq!((last.0.end, last.1.end), (length, length));
        assert!(plan.borders().columns.len() <= MOST_BORDERS);
    }
}
