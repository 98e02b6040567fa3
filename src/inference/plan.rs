//! How an image is cut into tiles.

use std::ops::Range;

use super::pass::Borders;

/// The networks halve height and width twice: tiles that begin at multiples of this are seen as in the whole image.
const GRID: usize = 4;
/// Sides below this cost as much as this.
const LEAST_SIDE: usize = 8;
/// What one band of rows may take, input and output together.
const BAND_BYTES: usize = 256 << 20;

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

/// Tiles without overlap, each with a halo that is only looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TilePlan {
    pub rows: Vec<Span>,
    pub columns: Vec<Span>,
}

impl TilePlan {
    /// Covers `part` of an image by tiles of at most `side` x `side` pixels; wider where the image is low, and lower
    /// where a band of rows would take more memory than it should.
    ///
    /// `pixel_bytes` are those of a pixel of input and output together.
    pub fn new(image: (usize, usize), part: &Part, side: usize, halo: usize, pixel_bytes: usize) -> Self {
        let area = side * side;
        let (height, width) = part.size();
        let affordable = (BAND_BYTES / (width * pixel_bytes).max(1)).saturating_sub(2 * halo).max(side / 4);
        let down = side.min(height).min(affordable).max(1);
        let across = (area / down.max(LEAST_SIDE)).min(width).max(1);
        Self { rows: spans(&part.rows, down, halo, image.0), columns: spans(&part.columns, across, halo, image.1) }
    }

    /// An image as one tile.
    pub fn whole((height, width): (usize, usize)) -> Self {
        let span = |length: usize| vec![Span { made: 0..length, seen: 0..length }];
        Self { rows: span(height), columns: span(width) }
    }

    pub fn borders(&self) -> Borders {
        let inner = |spans: &[Span]| spans.iter().skip(1).map(|span| span.made.start - spans[0].made.start).collect();
        Borders { rows: inner(&self.rows), columns: inner(&self.columns) }
    }

    /// Columns that a band of rows has to hold.
    pub fn seen_columns(&self) -> Range<usize> {
        let start = self.columns.first().map_or(0, |span| span.seen.start);
        start..self.columns.last().map_or(0, |span| span.seen.end)
    }
}

/// As few spans of at most `most` pixels as cover `range`, about as long as each other.
fn spans(range: &Range<usize>, most: usize, halo: usize, end: usize) -> Vec<Span> {
    let length = range.len();
    let count = length.div_ceil(most).max(1);
    let step = length.div_ceil(count).next_multiple_of(GRID);
    let mut spans = Vec::with_capacity(count);
    let mut start = range.start;
    while start < range.end {
        // So that only the first one may begin off the grid.
        let stop = ((start + step) / GRID * GRID).min(range.end).max(start + 1);
        let seen_start = start.saturating_sub(halo) / GRID * GRID;
        let seen_end = (stop + halo).next_multiple_of(GRID).min(end);
        spans.push(Span { made: start..stop, seen: seen_start..seen_end });
        start = stop;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(image: (usize, usize), part: &Part, side: usize, halo: usize, bytes: usize) -> TilePlan {
        let plan = TilePlan::new(image, part, side, halo, bytes);
        for (spans, range, end) in [(&plan.rows, &part.rows, image.0), (&plan.columns, &part.columns, image.1)] {
            assert_eq!((spans[0].made.start, spans.last().unwrap().made.end), (range.start, range.end));
            assert!(spans.windows(2).all(|pair| pair[0].made.end == pair[1].made.start));
            for Span { made, seen } in spans {
                assert!(seen.start <= made.start.saturating_sub(halo) && seen.start % GRID == 0);
                assert!(seen.end >= (made.end + halo).min(end) && seen.end <= end);
                assert!(seen.end % GRID == 0 || seen.end == end);
            }
        }
        plan
    }

    #[test]
    fn tiles_cover_any_part_once_and_begin_on_the_grid() {
        for image in [(1, 1), (1, 40_000), (40_000, 1), (7, 13), (512, 512), (1000, 1537), (2048, 3001)] {
            covers(image, &Part::whole(image), 256, 36, 12);
        }
        covers((1000, 1000), &Part { rows: 13..777, columns: 501..502 }, 128, 36, 12);
    }

    #[test]
    fn a_small_image_is_one_tile_and_a_strip_is_cut_across() {
        assert_eq!(covers((900, 1000), &Part::whole((900, 1000)), 1024, 36, 12), TilePlan::whole((900, 1000)));
        assert_eq!(covers((1, 100_000), &Part::whole((1, 100_000)), 1024, 36, 12), TilePlan::whole((1, 100_000)));
        let strip = covers((40_000, 5), &Part::whole((40_000, 5)), 256, 36, 12);
        assert_eq!(strip.columns.len(), 1);
    }

    /// 40,000 columns of 4 bands of 2 bytes in and 3 of 1 out.
    #[test]
    fn bands_of_a_wide_image_take_no_more_memory() {
        let image = (40_000, 40_000);
        let plan = covers(image, &Part::whole(image), 1024, 36, 11);
        let band = plan.rows.iter().map(|span| span.seen.len()).max().unwrap() * 40_000 * 11;
        assert!(band <= BAND_BYTES + 40_000 * 11 * 8, "{band}");
        let work: usize = plan.rows.iter().map(|span| span.seen.len()).sum::<usize>()
            * plan.columns.iter().map(|span| span.seen.len()).sum::<usize>();
        assert!((work as f64) < 1.2 * 1.6e9, "{work}");
    }
}
