//! The way of arcgis.learn: square tiles that overlap, each with its own statistics, blended under a window.
//!
//! Tiles of K pixels begin every K - 2p pixels, the first one p pixels before the part. Each counts by the outer product
//! of a periodic Hann window with itself, divided by the sum of those at a pixel. Beyond the image its pixels are
//! mirrored. Pixels without data do not count in a tile's statistics, as arcgis.learn has them count.

use std::f64::consts::PI;
use std::ops::Range;

use ndarray::{Array2, Array3, s};
use tch::Kind;

use super::pass::{Area, Borders, MOST_BORDERS, Pass, Steps};
use super::plan::Part;
use super::progress::Watch;
use super::translation::Translation;
use crate::arrays::{array_to_tensor, tensor_to_array};
use crate::error::Result;
use crate::raster::{Raster, Samples};

pub(crate) struct Blended<'a> {
    translation: &'a Translation<'a>,
    part: Part,
    rows: Tiling,
    columns: Tiling,
    empty: Option<f64>,
    /// Tiles that go through the network together.
    at_once: usize,
    /// Sums of the tiles so far for the rows of the current tiles, (channels, side, columns of all tiles).
    sums: Array3<f32>,
}

/// Settings of [`Blended`]; twice the padding is less than the side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Blending {
    pub side: usize,
    pub padding: usize,
    pub at_once: usize,
}

impl<'a> Blended<'a> {
    pub fn new(
        translation: &'a Translation<'a>,
        part: Part,
        image: (usize, usize),
        blending: Blending,
        empty: Option<f64>,
    ) -> Self {
        let rows = Tiling::new(part.rows.clone(), image.0, blending);
        let columns = Tiling::new(part.columns.clone(), image.1, blending);
        let sums = Array3::zeros((translation.to.channels(), blending.side, columns.length()));
        Self { translation, part, rows, columns, empty, at_once: blending.at_once.max(1), sums }
    }

    /// Adds up the row of tiles `index`, some at a time, without those that have no data.
    fn add_row(&mut self, index: usize, seen: &Raster, watch: &mut Watch) -> Result<()> {
        let rows = self.rows.tile(index);
        let origin = (self.rows.seen(index).start, self.columns.all_seen().start);
        let mut waiting = Vec::with_capacity(self.at_once);
        for column in 0..self.columns.count {
            watch.check()?;
            let tile = mirrored(seen, (&rows, &self.columns.tile(column)), origin);
            if !tile.gaps().iter().all(|&gap| gap) {
                waiting.push((column, tile));
            }
            if waiting.len() == self.at_once || column + 1 == self.columns.count {
                self.add_tiles(index, std::mem::take(&mut waiting), watch)?;
            }
        }
        Ok(())
    }

    fn add_tiles(&mut self, index: usize, tiles: Vec<(usize, Raster)>, watch: &mut Watch) -> Result<()> {
        let (columns, tiles): (Vec<usize>, Vec<Raster>) = tiles.into_iter().unzip();
        if tiles.is_empty() {
            return Ok(());
        }
        watch.saw(tiles.iter().map(|tile| tile.height() as u64 * tile.width() as u64).sum());
        let made = self.translation.each(&tiles)?.f_to_kind(Kind::Float)?;
        for (i, column) in columns.into_iter().enumerate() {
            self.add(index, column, &tensor_to_array(&made.f_get(i as i64)?)?);
        }
        Ok(())
    }

    fn add(&mut self, index: usize, column: usize, tile: &Array3<f32>) {
        let (side, stride) = (self.rows.side, self.rows.stride);
        let (down, across) = (self.rows.weights(index), self.columns.weights(column));
        let weights = Array2::from_shape_fn((side, side), |(y, x)| down[y] * across[x]);
        let mut sums = self.sums.slice_mut(s![.., .., column * stride..column * stride + side]);
        for (mut sums, tile) in sums.outer_iter_mut().zip(tile.outer_iter()) {
            sums += &(&tile * &weights);
        }
    }

    /// Takes the rows that no later tile adds to.
    fn complete(&mut self, index: usize, seen: &Raster) -> Result<Option<Samples>> {
        let done = self.rows.completed(index);
        let top = self.rows.start(index);
        let columns = self.columns.padding..self.columns.padding + self.part.columns.len();
        let made = match done.is_empty() {
            true => None,
            false => {
                let from = (done.start + self.rows.padding) - top;
                let sums = self.sums.slice(s![.., from..from + done.len(), columns]).to_owned();
                let core = seen.part(
                    self.part.rows.start + done.start - self.rows.seen(index).start,
                    self.part.columns.start - self.columns.all_seen().start,
                    done.len(),
                    self.part.columns.len(),
                );
                Some(self.translation.samples(&array_to_tensor(sums)?, &core, self.empty)?)
            }
        };
        let stride = self.rows.stride.min(self.rows.side);
        let kept = self.sums.slice(s![.., stride.., ..]).to_owned();
        self.sums.fill(0.0);
        self.sums.slice_mut(s![.., ..kept.dim().1, ..]).assign(&kept);
        Ok(made)
    }
}

impl Pass for Blended<'_> {
    fn steps(&self) -> Box<dyn Steps> {
        let (seen, made) = (self.columns.all_seen(), 0..self.part.columns.len());
        Box::new(RowsOfTiles { rows: self.rows.clone(), seen, made })
    }

    fn borders(&self) -> Borders {
        Borders { rows: self.rows.borders(), columns: self.columns.borders() }
    }

    fn warm_up(&self) -> usize {
        self.rows.side.div_ceil(self.rows.stride) - 1
    }

    fn make(&mut self, index: usize, seen: &Raster, watch: &mut Watch) -> Result<Option<Samples>> {
        self.add_row(index, seen, watch)?;
        watch.made(self.rows.completed(index).len() as u64 * self.part.columns.len() as u64);
        self.complete(index, seen)
    }
}

/// The columns that each row of tiles sees, and makes.
struct RowsOfTiles {
    rows: Tiling,
    seen: Range<usize>,
    made: Range<usize>,
}

impl Steps for RowsOfTiles {
    fn count(&self) -> usize {
        self.rows.count
    }

    fn reads(&self, index: usize) -> Area {
        (self.rows.seen(index), self.seen.clone())
    }

    fn makes(&self, index: usize) -> Area {
        (self.rows.completed(index), self.made.clone())
    }
}

/// Pixels of these rows and columns of the image, of which `seen` begins at `origin`.
fn mirrored(seen: &Raster, (rows, columns): (&[usize], &[usize]), origin: (usize, usize)) -> Raster {
    let relative = |indices: &[usize], origin: usize| indices.iter().map(|i| i - origin).collect::<Vec<_>>();
    seen.gathered(&relative(rows, origin.0), &relative(columns, origin.1))
}

/// Tiles along one side.
#[derive(Clone)]
struct Tiling {
    range: Range<usize>,
    side: usize,
    padding: usize,
    stride: usize,
    count: usize,
    /// Length of the image.
    end: usize,
    window: Vec<f32>,
}

impl Tiling {
    fn new(range: Range<usize>, end: usize, Blending { side, padding, .. }: Blending) -> Self {
        let stride = side - 2 * padding;
        let count = range.len().div_ceil(stride);
        Self { range, side, padding, stride, count, end, window: window(side, padding) }
    }

    /// Pixels from the first tile's to the last one's.
    fn length(&self) -> usize {
        (self.count - 1) * self.stride + self.side
    }

    /// Where a tile begins, counted from `padding` pixels before the range.
    fn start(&self, index: usize) -> usize {
        index * self.stride
    }

    /// Where within the range a tile begins; with half a tile of overlap another one ends there.
    fn borders(&self) -> Vec<usize> {
        let starts = (0..self.count).map(|index| self.start(index).saturating_sub(self.padding));
        starts.filter(|start| (1..self.range.len()).contains(start)).take(MOST_BORDERS).collect()
    }

    /// For each pixel of a tile, which pixel of the image stands there.
    fn tile(&self, index: usize) -> Vec<usize> {
        let first = (self.range.start + self.start(index)) as i64 - self.padding as i64;
        (first..first + self.side as i64).map(|pixel| reflected(pixel, self.end)).collect()
    }

    /// The part of the image in which the pixels of a tile and of its share of the range lie.
    fn seen(&self, index: usize) -> Range<usize> {
        let done = self.completed(index);
        let own = around(&self.tile(index));
        match done.is_empty() {
            true => own,
            false => own.start.min(self.range.start + done.start)..own.end.max(self.range.start + done.end),
        }
    }

    /// Between the first tile and the last one lies the range; none is reflected further.
    fn all_seen(&self) -> Range<usize> {
        let (first, last) = (around(&self.tile(0)), around(&self.tile(self.count - 1)));
        let start = first.start.min(last.start).min(self.range.start);
        start..first.end.max(last.end).max(self.range.end)
    }

    /// Pixels of the range, from its start, that this tile is the last one to lie over.
    fn completed(&self, index: usize) -> Range<usize> {
        let until = |index: usize| self.start(index).saturating_sub(self.padding).min(self.range.len());
        let end = if index + 1 == self.count { self.range.len() } else { until(index + 1) };
        until(index)..end
    }

    /// How much each pixel of a tile counts, of a total of 1 over all tiles.
    fn weights(&self, index: usize) -> Vec<f32> {
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

/// From the least to the greatest.
fn around(indices: &[usize]) -> Range<usize> {
    let least = indices.iter().min().copied().unwrap_or(0);
    least..indices.iter().max().map_or(least, |most| most + 1)
}

/// The pixel that stands for `index` in an image of `length` pixels whose ends are mirrors.
fn reflected(index: i64, length: usize) -> usize {
    let last = length as i64 - 1;
    if last == 0 {
        return 0;
    }
    let within = index.rem_euclid(2 * last);
    within.min(2 * last - within) as usize
}

/// A periodic Hann window; ones where nothing overlaps.
fn window(side: usize, padding: usize) -> Vec<f32> {
    let hann = |i: usize| (0.5 - 0.5 * (2.0 * PI * i as f64 / side as f64).cos()) as f32;
    (0..side).map(|i| if padding == 0 { 1.0 } else { hann(i) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiling(range: Range<usize>, end: usize, side: usize, padding: usize) -> Tiling {
        Tiling::new(range, end, Blending { side, padding, at_once: 1 })
    }

    #[test]
    fn weights_sum_to_one_at_every_pixel() {
        for (range, end, side, padding) in
            [(0..192, 192, 64, 16), (0..5, 5, 64, 16), (30..101, 300, 32, 15), (0..100, 100, 32, 0), (0..1, 1, 8, 1)]
        {
            let tiling = tiling(range.clone(), end, side, padding);
            let mut sums = vec![0f32; tiling.length()];
            for tile in 0..tiling.count {
                tiling.weights(tile).iter().zip(&mut sums[tiling.start(tile)..]).for_each(|(w, sum)| *sum += w);
            }
            let of_range = &sums[padding..padding + range.len()];
            assert!(of_range.iter().all(|sum| (sum - 1.0).abs() < 1e-6), "{range:?} {side} {padding}: {of_range:?}");
        }
    }

    #[test]
    fn every_pixel_is_completed_once_and_seen_when_it_is() {
        for (range, end, side, padding) in
            [(0..192, 192, 64, 16), (0..5, 5, 64, 16), (30..101, 300, 32, 15), (7..8, 9, 8, 3)]
        {
            let tiling = tiling(range.clone(), end, side, padding);
            let mut next = 0;
            for tile in 0..tiling.count {
                let (done, seen) = (tiling.completed(tile), tiling.seen(tile));
                assert_eq!(done.start, next);
                next = done.end;
                assert!(
                    done.is_empty() || seen.start <= range.start + done.start && seen.end >= range.start + done.end
                );
                assert!(seen.end <= end);
                let all = tiling.all_seen();
                assert!(all.start <= seen.start && all.end >= seen.end);
            }
            let all: Vec<usize> = (0..tiling.count).flat_map(|tile| tiling.tile(tile)).chain(range.clone()).collect();
            assert_eq!(tiling.all_seen(), around(&all));
            assert_eq!(next, range.len());
        }
    }

    /// As `numpy.pad(mode="reflect")` does it.
    #[test]
    fn indices_are_reflected_as_often_as_needed() {
        let made: Vec<usize> = (-4..7).map(|index| reflected(index, 3)).collect();
        assert_eq!(made, [0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2]);
        assert_eq!(reflected(-9, 1), 0);
    }
}
