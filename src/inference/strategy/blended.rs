//! arcgis.learn's method: overlapping square tiles, each with its own statistics, blended with a window.
//!
//! Each tile is weighted by the outer product of the windows of its rows and columns. Pixels without data do not count
//! in a tile's statistics, whereas in arcgis.learn they do.

use std::ops::Range;

use ndarray::{Array2, Array3, s};
use tch::Kind;

use super::Strategy;
use super::progress::Progress;
use super::translation::Translation;
use crate::arrays::{array_to_tensor, tensor_to_array};
use crate::error::Result;
use crate::inference::tiling::{Borders, Overlap, OverlappingTiles, Part, Steps, at_once, bytes_of_rows};
use crate::raster::{Raster, Samples, Source};

/// Overlapping tiles of a part of an image.
pub(crate) struct BlendedTiles<'a> {
    translation: &'a Translation<'a>,
    part: Part,
    rows: OverlappingTiles,
    columns: OverlappingTiles,
    /// The value that means "no data" in the output.
    empty: Option<f64>,
    /// Number of tiles that go through the network together.
    at_once: usize,
    /// Sums over the tiles so far for the rows of the current tiles, (channels, side, columns of all tiles).
    sums: Array3<f32>,
}

impl<'a> BlendedTiles<'a> {
    /// Covers `part` of an image with height and width `image`.
    pub fn new(
        translation: &'a Translation<'a>,
        part: Part,
        image: (usize, usize),
        overlap: Overlap,
        empty: Option<f64>,
    ) -> Self {
        let rows = OverlappingTiles::new(part.rows.clone(), image.0, overlap);
        let columns = OverlappingTiles::new(part.columns.clone(), image.1, overlap);
        let sums = Array3::zeros((translation.to.channels(), overlap.side, columns.pixels()));
        let at_once = at_once(translation.network_sides().lengthened(overlap.side));
        Self { translation, part, rows, columns, empty, at_once, sums }
    }

    /// Adds row `index` of tiles, several at a time, skipping those without data.
    fn add_row(&mut self, index: usize, seen: &Raster, progress: &mut Progress) -> Result<()> {
        let rows = self.rows.tile(index);
        let origin = (self.rows.seen(index).start, self.columns.all_seen().start);
        let mut waiting = Vec::with_capacity(self.at_once);
        for column in 0..self.columns.count() {
            progress.check_stop()?;
            let tile = mirrored(seen, (&rows, &self.columns.tile(column)), origin);
            if !tile.gaps().iter().all(|&gap| gap) {
                waiting.push((column, tile));
            }
            if waiting.len() == self.at_once || column + 1 == self.columns.count() {
                self.add_tiles(index, std::mem::take(&mut waiting), progress)?;
            }
        }
        Ok(())
    }

    fn add_tiles(&mut self, index: usize, tiles: Vec<(usize, Raster)>, progress: &mut Progress) -> Result<()> {
        let (columns, tiles): (Vec<usize>, Vec<Raster>) = tiles.into_iter().unzip();
        if tiles.is_empty() {
            return Ok(());
        }
        progress.add_network(tiles.iter().map(|tile| tile.height() as u64 * tile.width() as u64).sum());
        let made = self.translation.each(&tiles)?.f_to_kind(Kind::Float)?;
        for (i, column) in columns.into_iter().enumerate() {
            self.add(index, column, &tensor_to_array(&made.f_get(i as i64)?)?);
        }
        Ok(())
    }

    fn add(&mut self, index: usize, column: usize, tile: &Array3<f32>) {
        let (down, across) = (self.rows.weights(index), self.columns.weights(column));
        let weights = Array2::from_shape_fn((down.len(), across.len()), |(y, x)| down[y] * across[x]);
        let left = self.columns.start(column);
        let mut sums = self.sums.slice_mut(s![.., .., left..left + across.len()]);
        for (mut sums, tile) in sums.outer_iter_mut().zip(tile.outer_iter()) {
            sums += &(&tile * &weights);
        }
    }

    /// Returns the rows that no later tile adds to, if there are any.
    fn completed(&self, index: usize, seen: &Raster) -> Result<Option<Samples>> {
        let done = self.rows.completed(index);
        if done.is_empty() {
            return Ok(None);
        }
        let (rows, columns) = (self.rows.completed_in_tile(index), self.columns.range_in_tiles());
        let sums = self.sums.slice(s![.., rows, columns]).to_owned();
        let core = seen.part(
            self.part.rows.start + done.start - self.rows.seen(index).start,
            self.part.columns.start - self.columns.all_seen().start,
            done.len(),
            self.part.columns.len(),
        );
        Ok(Some(self.translation.samples(&array_to_tensor(sums)?, &core, self.empty)?))
    }

    /// Moves the sums to the next row of tiles.
    fn move_down(&mut self) {
        let kept = self.sums.slice(s![.., self.rows.stride().., ..]).to_owned();
        self.sums.fill(0.0);
        self.sums.slice_mut(s![.., ..kept.dim().1, ..]).assign(&kept);
    }
}

impl Strategy for BlendedTiles<'_> {
    fn steps(&self) -> Box<dyn Steps> {
        let (seen, made) = (self.columns.all_seen(), 0..self.part.columns.len());
        Box::new(RowsOfTiles { rows: self.rows.clone(), seen, made })
    }

    fn borders(&self) -> Borders {
        Borders { rows: self.rows.borders(), columns: self.columns.borders() }
    }

    fn warm_up(&self) -> usize {
        self.rows.overlapping()
    }

    fn make(&mut self, index: usize, seen: &Raster, progress: &mut Progress) -> Result<Option<Samples>> {
        self.add_row(index, seen, progress)?;
        progress.add_completed(self.rows.completed(index).len() as u64 * self.part.columns.len() as u64);
        let made = self.completed(index, seen)?;
        self.move_down();
        Ok(made)
    }
}

/// Rows of tiles, which all have the same columns.
struct RowsOfTiles {
    rows: OverlappingTiles,
    seen: Range<usize>,
    made: Range<usize>,
}

impl Steps for RowsOfTiles {
    fn count(&self) -> usize {
        self.rows.count()
    }

    fn reads(&self, index: usize) -> Part {
        Part { rows: self.rows.seen(index), columns: self.seen.clone() }
    }

    fn makes(&self, index: usize) -> Part {
        Part { rows: self.rows.completed(index), columns: self.made.clone() }
    }
}

/// Checks that there is memory for rows of overlapping tiles, which are as wide as the part.
///
/// # Errors
/// `Limits` if there is not.
pub(crate) fn check_memory(translation: &Translation<'_>, scene: &Source, part: &Part, side: usize) -> Result<()> {
    // Rows are in main memory; on CUDA the budget is that of the device.
    if translation.device.is_cuda() {
        return Ok(());
    }
    let bytes = translation.pixel_bytes(scene);
    let rows = bytes_of_rows(side, part.columns.len(), translation.to.channels(), bytes);
    let budget = translation.budget();
    let side = translation.network_sides().lengthened(side);
    budget.check("rows of overlapping tiles", rows + budget.network((at_once(side) * side * side) as f64))
}

/// Returns the pixels of these rows and columns of the image; `seen` starts at `origin`.
fn mirrored(seen: &Raster, (rows, columns): (&[usize], &[usize]), origin: (usize, usize)) -> Raster {
    let relative = |indices: &[usize], origin: usize| indices.iter().map(|i| i - origin).collect::<Vec<_>>();
    seen.gathered(&relative(rows, origin.0), &relative(columns, origin.1))
}
