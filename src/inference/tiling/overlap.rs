//! Overlapping square tiles, blended with a window, along one side of an image.
//!
//! Tiles of `side` pixels start every `side - 2 * padding` pixels, the first one `padding` pixels before the range.
//! Each is weighted by a periodic Hann window, divided by the sum of all windows at a pixel. Beyond the image, its
//! pixels are mirrored.

use std::f64::consts::PI;
use std::ops::Range;

use super::steps::MOST_BORDERS;
use super::tile_plan::PixelBytes;

/// Side of tiles, and how far they overlap at each end; twice the padding is less than the side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Overlap {
    pub side: usize,
    pub padding: usize,
}

impl Overlap {
    /// Returns the overlap for tiles of this side; the default `padding` is a quarter, as in arcgis.learn.
    pub fn of(side: usize, padding: Option<usize>) -> Self {
        Self { side, padding: padding.unwrap_or(side / 4) }
    }

    /// Returns whether tiles of this side have pixels between their paddings.
    pub fn is_possible(side: usize, padding: usize) -> bool {
        padding < side.div_ceil(2)
    }
}

/// Overlapping tiles along one side of a range of an image.
#[derive(Debug, Clone)]
pub(crate) struct OverlappingTiles {
    range: Range<usize>,
    side: usize,
    padding: usize,
    /// Distance between the starts of adjacent tiles.
    stride: usize,
    count: usize,
    /// Length of the image.
    length: usize,
    /// Weight of each pixel of a tile, before other tiles are considered.
    window: Vec<f32>,
}

impl OverlappingTiles {
    /// Covers a `range` of an image of `length` pixels.
    pub fn new(range: Range<usize>, length: usize, Overlap { side, padding }: Overlap) -> Self {
        let stride = side - 2 * padding;
        let count = range.len().div_ceil(stride);
        Self { range, side, padding, stride, count, length, window: window(side, padding) }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Returns how many other tiles cover a pixel besides the first one.
    pub fn overlapping(&self) -> usize {
        self.side.div_ceil(self.stride) - 1
    }

    /// Returns the distance between the starts of adjacent tiles.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Returns the number of pixels from the start of the first tile to the end of the last one.
    pub fn pixels(&self) -> usize {
        (self.count - 1) * self.stride + self.side
    }

    /// Returns the start of a tile, counted from `padding` pixels before the range.
    pub fn start(&self, index: usize) -> usize {
        index * self.stride
    }

    /// Returns the starts of tiles within the range; with an overlap of half a tile, other tiles end there.
    pub fn borders(&self) -> Vec<usize> {
        let starts = (0..self.count).map(|index| self.start(index).saturating_sub(self.padding));
        starts.filter(|start| (1..self.range.len()).contains(start)).take(MOST_BORDERS).collect()
    }

    /// Returns the index of the image's pixel for each pixel of a tile.
    pub fn tile(&self, index: usize) -> Vec<usize> {
        let first = (self.range.start + self.start(index)) as i64 - self.padding as i64;
        (first..first + self.side as i64).map(|pixel| reflected(pixel, self.length)).collect()
    }

    /// Returns the part of the image that contains the pixels of a tile and of its share of the range.
    pub fn seen(&self, index: usize) -> Range<usize> {
        let done = self.completed(index);
        let own = around(&self.tile(index));
        match done.is_empty() {
            true => own,
            false => own.start.min(self.range.start + done.start)..own.end.max(self.range.start + done.end),
        }
    }

    /// Returns the part of the image that contains the pixels of all tiles.
    pub fn all_seen(&self) -> Range<usize> {
        // The range lies between the first and the last tile; no tile is reflected further than these two.
        let (first, last) = (around(&self.tile(0)), around(&self.tile(self.count - 1)));
        let start = first.start.min(last.start).min(self.range.start);
        start..first.end.max(last.end).max(self.range.end)
    }

    /// Returns the pixels of the range, counted from its start, for which this tile is the last one.
    pub fn completed(&self, index: usize) -> Range<usize> {
        let until = |index: usize| self.start(index).saturating_sub(self.padding).min(self.range.len());
        let end = if index + 1 == self.count { self.range.len() } else { until(index + 1) };
        until(index)..end
    }

    /// Returns the positions within the tile of the pixels that it completes, if there are any.
    pub fn completed_in_tile(&self, index: usize) -> Range<usize> {
        let (done, start) = (self.completed(index), self.start(index));
        // Tiles are counted from `padding` pixels before the range.
        done.start + self.padding - start..done.end + self.padding - start
    }

    /// Returns the position of the range among the pixels of all tiles.
    pub fn range_in_tiles(&self) -> Range<usize> {
        self.padding..self.padding + self.range.len()
    }

    /// Returns the weight of each pixel of a tile; the total over all tiles is 1.
    pub fn weights(&self, index: usize) -> Vec<f32> {
        let at = |tile: usize, pixel: usize| pixel.checked_sub(self.start(tile)).and_then(|i| self.window.get(i));
        let reach = self.side.div_ceil(self.stride);
        let others = index.saturating_sub(reach)..(index + reach + 1).min(self.count);
        let start = self.start(index);
        let share = |pixel: usize| {
            let total: f32 = others.clone().filter_map(|tile| at(tile, pixel)).sum();
            if total > 0.0 { self.window[pixel - start] / total } else { 0.0 }
        };
        (start..start + self.side).map(share).collect()
    }
}

/// Returns the range from the smallest to the largest index.
fn around(indices: &[usize]) -> Range<usize> {
    let least = indices.iter().min().copied().unwrap_or(0);
    least..indices.iter().max().map_or(least, |most| most + 1)
}

/// Returns the index that `index` is mirrored to in an image of `length` pixels.
fn reflected(index: i64, length: usize) -> usize {
    let last = length as i64 - 1;
    if last == 0 {
        return 0;
    }
    let within = index.rem_euclid(2 * last);
    within.min(2 * last - within) as usize
}

/// Returns a periodic Hann window; ones if there is no overlap.
fn window(side: usize, padding: usize) -> Vec<f32> {
    let hann = |i: usize| (0.5 - 0.5 * (2.0 * PI * i as f64 / side as f64).cos()) as f32;
    (0..side).map(|i| if padding == 0 { 1.0 } else { hann(i) }).collect()
}

/// Returns the bytes of rows of overlapping tiles across a part of `width` columns: two of the input, the sums in
/// `channels` and a copy of them, and the output samples.
pub(crate) fn bytes_of_rows(side: usize, width: usize, channels: usize, bytes: PixelBytes) -> f64 {
    let pixels = side as f64 * (width + 2 * side) as f64;
    pixels * (2 * bytes.read + 3 * (channels * size_of::<f32>() + bytes.made)) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiles(range: Range<usize>, end: usize, side: usize, padding: usize) -> OverlappingTiles {
        OverlappingTiles::new(range, end, Overlap { side, padding })
    }

    #[test]
    fn weights_sum_to_one_at_every_pixel() {
        for (range, end, side, padding) in
            [(0..192, 192, 64, 16), (0..5, 5, 64, 16), (30..101, 300, 32, 15), (0..100, 100, 32, 0), (0..1, 1, 8, 1)]
        {
            let tiles = self::tiles(range.clone(), end, side, padding);
            let mut sums = vec![0f32; tiles.pixels()];
            for tile in 0..tiles.count() {
                tiles.weights(tile).iter().zip(&mut sums[tiles.start(tile)..]).for_each(|(w, sum)| *sum += w);
            }
            let of_range = &sums[tiles.range_in_tiles()];
            assert_eq!(of_range.len(), range.len());
            assert!(of_range.iter().all(|sum| (sum - 1.0).abs() < 1e-6), "{range:?} {side} {padding}: {of_range:?}");
        }
    }

    #[test]
    fn every_pixel_is_completed_once_and_seen_when_it_is() {
        for (range, end, side, padding) in
            [(0..192, 192, 64, 16), (0..5, 5, 64, 16), (30..101, 300, 32, 15), (7..8, 9, 8, 3)]
        {
            let tiles = self::tiles(range.clone(), end, side, padding);
            let mut next = 0;
            for tile in 0..tiles.count() {
                let (done, seen) = (tiles.completed(tile), tiles.seen(tile));
                assert_eq!(done.start, next);
                next = done.end;
                assert!(
                    done.is_empty() || seen.start <= range.start + done.start && seen.end >= range.start + done.end
                );
                assert!(seen.end <= end);
                let all = tiles.all_seen();
                assert!(all.start <= seen.start && all.end >= seen.end);
            }
            let all: Vec<usize> = (0..tiles.count).flat_map(|tile| tiles.tile(tile)).chain(range.clone()).collect();
            assert_eq!(tiles.all_seen(), around(&all));
            assert_eq!(next, range.len());
        }
    }

    /// Like `numpy.pad(mode="reflect")`.
    #[test]
    fn indices_are_reflected_as_often_as_needed() {
        let made: Vec<usize> = (-4..7).map(|index| reflected(index, 3)).collect();
        assert_eq!(made, [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(reflected(-9, 1), 0);
    }
}
