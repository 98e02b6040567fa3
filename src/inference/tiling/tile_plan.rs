//! The plan of tiles without overlap.

use std::ops::Range;

use super::halo::{GRID, Halo};
use super::part::Part;
use super::spans::{Span, Spans};
use super::steps::{Borders, Steps};
use super::tile_size::TileSize;

/// Sides below this cost as much as this.
const LEAST_SIDE: usize = 8;
/// Bytes that one step may take, input and output together; a few steps are in memory at a time. With this value the
/// whole process stayed below 1.3 GiB on every scene that was measured, up to 200,000 columns with 13 bands
/// (`docs/raster-inference.md`, "Speed and memory").
pub(crate) const STEP_BYTES: usize = 256 << 20;
/// Side of the output's blocks, if tiles are that large.
const BLOCK: usize = 256;
/// Sides of a TIFF's blocks must be multiples of this.
const BLOCK_GRID: usize = 16;

/// Bytes of a pixel of input and output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PixelBytes {
    pub read: usize,
    pub made: usize,
}

impl PixelBytes {
    /// Returns the bytes of a step that covers `height` x `width` pixels.
    fn of_step(self, height: usize, width: usize, halo: Halo) -> usize {
        let seen = (height + 2 * halo.pixels).saturating_mul(width + 2 * halo.pixels);
        seen.saturating_mul(self.read).saturating_add(height.saturating_mul(width).saturating_mul(self.made))
    }
}

/// Adjacent tiles, row by row, each with a halo that is only read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TilePlan {
    pub rows: Spans,
    pub columns: Spans,
    /// Adjacent tiles that are read and written in one step.
    tiles_in_step: usize,
    /// Side of the output's blocks if it is written block by block and not row by row: each step fills whole blocks.
    pub block: Option<usize>,
}

impl TilePlan {
    /// Covers `part` of an image with tiles of at most `side` x `side` pixels; wider if the image is low.
    ///
    /// A step is a row of tiles, or as many of its tiles as memory allows. Lower tiles would need less memory, too, but
    /// have more halo for each pixel.
    pub fn new(image: (usize, usize), part: &Part, size: TileSize, bytes: PixelBytes) -> Self {
        let TileSize { side, halo, step_bytes } = size;
        let (height, width) = part.size();
        let down = side.min(height).max(1);
        let across = (side * side / down.max(LEAST_SIDE)).min(width).max(1);
        // The writer of rows gathers a row of blocks.
        let gathered = BLOCK.saturating_mul(width).saturating_mul(bytes.made);
        if bytes.of_step(down, width, halo).max(gathered) <= step_bytes {
            let [rows, columns] = spans(image, part, (down, across), halo, GRID);
            return Self { rows, tiles_in_step: columns.len(), columns, block: None };
        }
        let block = if side < BLOCK { (side / BLOCK_GRID * BLOCK_GRID).max(BLOCK_GRID) } else { BLOCK };
        let whole_blocks = |length: usize| (length / block * block).max(block);
        let [rows, columns] = spans(image, part, (whole_blocks(side), whole_blocks(across)), halo, block);
        let tile = (rows.get(0).made.len(), columns.get(0).made.len());
        let fits = |tiles: &usize| bytes.of_step(tile.0, tiles * tile.1, halo) <= step_bytes;
        let most = (1..=columns.len()).take_while(fits).last().unwrap_or(1);
        // About the same number of tiles in each step of a row.
        let tiles_in_step = columns.len().div_ceil(columns.len().div_ceil(most));
        Self { rows, columns, tiles_in_step, block: Some(block) }
    }

    /// Covers an image with one tile.
    pub fn whole((height, width): (usize, usize)) -> Self {
        Self { rows: Spans::one(height), columns: Spans::one(width), tiles_in_step: 1, block: None }
    }

    /// Returns the row of tiles of step `index`, and the range of its columns.
    pub fn step(&self, index: usize) -> (Span, Range<usize>) {
        let first = index % self.steps_in_row() * self.tiles_in_step;
        let row = self.rows.get(index / self.steps_in_row());
        (row, first..(first + self.tiles_in_step).min(self.columns.len()))
    }

    pub fn borders(&self) -> Borders {
        Borders { rows: self.rows.inner_starts(), columns: self.columns.inner_starts() }
    }

    fn steps_in_row(&self) -> usize {
        self.columns.len().div_ceil(self.tiles_in_step)
    }
}

impl Steps for TilePlan {
    fn count(&self) -> usize {
        self.rows.len().saturating_mul(self.steps_in_row())
    }

    fn reads(&self, index: usize) -> Part {
        let (rows, columns) = self.step(index);
        let (first, last) = (self.columns.get(columns.start).seen, self.columns.get(columns.end - 1).seen);
        Part { rows: rows.seen, columns: first.start..last.end }
    }

    fn makes(&self, index: usize) -> Part {
        let (rows, columns) = self.step(index);
        let (top, left) = (self.rows.start(), self.columns.start());
        let (first, last) = (self.columns.get(columns.start).made, self.columns.get(columns.end - 1).made);
        Part { rows: rows.made.start - top..rows.made.end - top, columns: first.start - left..last.end - left }
    }
}

/// Cuts both sides of `part` into tiles of at most this height and width.
fn spans(image: (usize, usize), part: &Part, most: (usize, usize), halo: Halo, grid: usize) -> [Spans; 2] {
    [Spans::new(&part.rows, most.0, halo, image.0, grid), Spans::new(&part.columns, most.1, halo, image.1, grid)]
}

#[cfg(test)]
mod tests {
    use super::super::steps::MOST_BORDERS;
    use super::*;

    fn covers(image: (usize, usize), part: &Part, (side, halo): (usize, usize), bytes: PixelBytes) -> TilePlan {
        let plan =
            TilePlan::new(image, part, TileSize { side, halo: Halo { pixels: halo }, step_bytes: STEP_BYTES }, bytes);
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
        let made: u64 = (0..plan.count()).map(|step| plan.makes(step)).map(|made| made.pixels()).sum();
        assert_eq!(made, part.pixels());
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

    /// 13 bands of 2 bytes as input and output, and small tiles on a very wide scene.
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
                let (Part { rows, columns }, made) = (plan.reads(step), plan.makes(step));
                let taken = rows.len() * columns.len() * bytes.read + made.pixels() as usize * bytes.made;
                // Halos end on the grid.
                assert!(taken <= STEP_BYTES + 8 * (rows.len() + columns.len()) * bytes.read, "{taken} for {image:?}");
                let (height, width) = part.size();
                assert!(made.rows.start % block == 0 && (made.rows.end % block == 0 || made.rows.end == height));
                assert!(
                    made.columns.start % block == 0 && (made.columns.end % block == 0 || made.columns.end == width)
                );
            }
        }
    }

    /// A plan takes no memory for its tiles, however many there are.
    #[test]
    fn a_scene_of_any_width_is_planned() {
        let (length, sizes) =
            (i32::MAX as usize, TileSize { side: 32, halo: Halo { pixels: 8 }, step_bytes: STEP_BYTES });
        let plan = TilePlan::new((length, length), &Part::whole((length, length)), sizes, SMALL);
        let last = plan.makes(plan.count() - 1);
        assert_eq!((last.rows.end, last.columns.end), (length, length));
        assert!(plan.borders().columns.len() <= MOST_BORDERS);
    }
}
