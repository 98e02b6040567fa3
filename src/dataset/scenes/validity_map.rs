//! Counts of valid pixels in the cells of a scene.

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::window::{SceneWindow, grid};
use crate::error::Result;
use crate::raster::Source;

/// Largest number of bytes of samples in a block that is read at once, unless a single row of cells has more; each
/// thread holds one block.
const BLOCK_BYTES: usize = 32 << 20;
/// Number of rows that are read at once if memory allows: one row of tiles of the usual size.
const BLOCK_ROWS: usize = 512;

/// A coarse map of a scene: how many pixels of each cell have data.
///
/// A pixel has data as in [`Raster::validity`](crate::Raster::validity): it is not outside the mask, does not have the
/// nodata value in all bands, and is finite in at least one band. Counts of cells are exact;
/// [`ValidityMap::pixels_within`] derives bounds from them for any window, so that few windows need to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ValidityMap {
    /// Height and width of the scene.
    size: (usize, usize),
    /// Side of a cell.
    cell: usize,
    /// Row by row.
    counts: Vec<u32>,
}

impl ValidityMap {
    /// Examines all pixels of a scene, in blocks of rows, or none if its header says that all have data. Calls `tell`
    /// with the number of pixels examined so far, from any thread.
    ///
    /// # Errors
    /// Errors from reading, and those of `tell`, which cancel the work.
    pub fn of(source: &Source, cell: usize, tell: &(dyn Fn(u64) -> Result<()> + Sync)) -> Result<Self> {
        let size = source.size();
        if !source.may_have_gaps() {
            tell(SceneWindow::new(0, 0, size.1, size.0).pixels())?;
            return Ok(Self::full(size, cell));
        }
        let bytes = source.bands() * source.dtype().bytes();
        Self::measure(size, cell, bytes, |window| {
            let part = source.window(window.row, window.column, window.height, window.width)?;
            tell(window.pixels())?;
            Ok(part.validity())
        })
    }

    /// Returns the map of a scene in which all pixels have data.
    pub fn full(size: (usize, usize), cell: usize) -> Self {
        let cell = cell.max(1);
        let counts = cells(size, cell).map(|window| count_of(window.pixels())).collect();
        Self { size, cell, counts }
    }

    /// Counts valid pixels with `read`, called for windows of whole cells; `bytes` is the memory per pixel while
    /// reading.
    fn measure(
        size: (usize, usize),
        cell: usize,
        bytes: usize,
        read: impl Fn(SceneWindow) -> Result<Array2<bool>> + Sync,
    ) -> Result<Self> {
        let cell = cell.max(1);
        let mut map = Self { size, cell, counts: vec![0; cells(size, cell).count()] };
        let across = map.cells_across();
        let blocks = blocks(size, cell, bytes);
        let counted = |block: &SceneWindow| Ok((*block, counted(&read(*block)?, cell)));
        for (block, counts) in blocks.par_iter().map(counted).collect::<Result<Vec<_>>>()? {
            let (row, column) = (block.row / cell, block.column / cell);
            for (index, counts) in counts.chunks(block.width.div_ceil(cell)).enumerate() {
                let start = (row + index) * across + column;
                map.counts[start..start + counts.len()].copy_from_slice(counts);
            }
        }
        Ok(map)
    }

    /// Returns the height and width of the scene.
    pub fn size(&self) -> (usize, usize) {
        self.size
    }

    fn cells_across(&self) -> usize {
        self.size.1.div_ceil(self.cell)
    }

    /// Returns the cells, row by row, each with the number of its pixels that have data. Cells at the right and lower
    /// edges may be smaller than the others.
    pub fn cells(&self) -> impl Iterator<Item = (SceneWindow, u32)> {
        cells(self.size, self.cell).zip(self.counts.iter().copied())
    }

    /// Returns the number of pixels that have data.
    pub fn valid_pixels(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    /// Returns a lower and an upper bound on the pixels of a window that have data. The two are equal if all cells that
    /// it cuts are full or empty, or if it cuts none. Pixels outside the scene have no data.
    pub fn pixels_within(&self, window: SceneWindow) -> (u64, u64) {
        let scene = SceneWindow::new(0, 0, self.size.1, self.size.0);
        let Some(window) = window.intersection(scene) else { return (0, 0) };
        let cell = self.cell;
        let (mut least, mut most) = (0, 0);
        for row in window.row / cell..window.bottom().div_ceil(cell) {
            for column in window.column / cell..window.right().div_ceil(cell) {
                let own = SceneWindow::new(column * cell, row * cell, cell, cell).intersection(scene);
                let pixels = own.map_or(0, SceneWindow::pixels);
                let shared = own.and_then(|own| own.intersection(window)).map_or(0, SceneWindow::pixels);
                let count = u64::from(self.counts[row * self.cells_across() + column]);
                least += shared.saturating_sub(pixels - count);
                most += shared.min(count);
            }
        }
        (least, most)
    }
}

fn cells((height, width): (usize, usize), cell: usize) -> impl Iterator<Item = SceneWindow> {
    let starts = move |length: usize| (0..length).step_by(cell);
    starts(height).flat_map(move |row| {
        starts(width).map(move |column| SceneWindow::new(column, row, cell.min(width - column), cell.min(height - row)))
    })
}

/// Returns the windows of whole cells that are read one by one: whole rows if memory allows.
fn blocks((height, width): (usize, usize), cell: usize, bytes: usize) -> Vec<SceneWindow> {
    let cells_in = |pixels: usize| (pixels / cell).max(1) * cell;
    let pixels = BLOCK_BYTES / bytes.max(1);
    let columns = cells_in(pixels / cell).min(width);
    let rows = cells_in((pixels / columns.max(1)).min(BLOCK_ROWS)).min(height);
    let within = |window: SceneWindow| SceneWindow {
        width: window.width.min(width - window.column),
        height: window.height.min(height - window.row),
        ..window
    };
    // Windows at the edges begin within the scene and are clipped there.
    grid((height + rows - 1, width + columns - 1), (columns, rows), (columns, rows)).map(within).collect()
}

fn counted(valid: &Array2<bool>, cell: usize) -> Vec<u32> {
    let across = valid.ncols().div_ceil(cell);
    let mut counts = vec![0; across * valid.nrows().div_ceil(cell)];
    for ((row, column), _) in valid.indexed_iter().filter(|(_, valid)| **valid) {
        counts[row / cell * across + column / cell] += 1;
    }
    counts
}

/// Cells have far fewer pixels than this type can count.
fn count_of(pixels: u64) -> u32 {
    u32::try_from(pixels).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Raster;
    use proptest::prelude::*;

    fn map_of(valid: &Array2<bool>, cell: usize, bytes: usize) -> ValidityMap {
        ValidityMap::measure(valid.dim(), cell, bytes, |window| {
            let rows = valid.slice(ndarray::s![window.row..window.bottom(), window.column..window.right()]);
            Ok(rows.to_owned())
        })
        .unwrap()
    }

    fn count(valid: &Array2<bool>, window: SceneWindow) -> u64 {
        let is_in = |y: usize, x: usize| window.contains(SceneWindow::new(x, y, 1, 1));
        valid.indexed_iter().filter(|((y, x), valid)| **valid && is_in(*y, *x)).count() as u64
    }

    proptest! {
        #[test]
        fn bounds_hold_and_cells_are_exact(
            (height, width) in (1usize..40, 1usize..40), cell in 1usize..9, bytes in 1usize..(1 << 24), threshold in 0u64..8, seed in any::<u64>(),
            (column, row, across, down) in (0usize..40, 0usize..40, 1usize..40, 1usize..40),
        ) {
            let mut random = crate::random::Seed(seed).stream("valid", 0);
            let valid = Array2::from_shape_fn((height, width), |_| random.below(8) as u64 >= threshold);
            let map = map_of(&valid, cell, bytes);
            let window = SceneWindow::new(column, row, across, down);
            let (least, most) = map.pixels_within(window);
            let exact = count(&valid, window);
            prop_assert!(least <= exact && exact <= most, "{least} {exact} {most}");
            for (own, found) in map.cells() {
                prop_assert_eq!(u64::from(found), count(&valid, own));
                prop_assert_eq!(map.pixels_within(own), (u64::from(found), u64::from(found)));
            }
            prop_assert_eq!(map.valid_pixels(), count(&valid, SceneWindow::new(0, 0, width, height)));
            if threshold == 0 {
                prop_assert_eq!(&map, &ValidityMap::full((height, width), cell));
                prop_assert_eq!(least, most);
            }
        }

        /// Each pixel is read once, in windows of whole cells.
        #[test]
        fn blocks_cover_the_scene((height, width) in (1usize..600, 1usize..600), cell in 7usize..70, bytes in 1usize..(1 << 20)) {
            let blocks = blocks((height, width), cell, bytes);
            prop_assert_eq!(blocks.iter().map(|block| block.pixels()).sum::<u64>(), (height * width) as u64);
            for block in &blocks {
                prop_assert!(block.fits((height, width)) && block.row % cell == 0 && block.column % cell == 0);
                prop_assert!(block.height <= cell || block.pixels() <= (BLOCK_BYTES / bytes) as u64);
            }
        }
    }

    /// The mask that rasterio reads has 639 pixels with data.
    #[test]
    fn a_map_of_a_file_has_its_mask() {
        let source = Source::open("tests/fixtures/masks/internal_tiled.tif".as_ref()).unwrap();
        let looked = std::sync::atomic::AtomicU64::new(0);
        let tell = |pixels| {
            looked.fetch_add(pixels, std::sync::atomic::Ordering::Relaxed);
            Ok(())
        };
        let map = ValidityMap::of(&source, 8, &tell).unwrap();
        assert_eq!((map.size(), map.valid_pixels(), map.cells().count()), ((36, 40), 639, 25));
        assert_eq!(looked.into_inner(), 36 * 40);
    }

    #[test]
    fn a_scene_without_gaps_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scene.tif");
        Raster::open("assets/scenes/bluemarble_asia.tif").unwrap().save(&path).unwrap();
        let source = Source::open(&path).unwrap();
        let (height, width) = source.size();
        // Only the header could still be read.
        std::fs::remove_file(&path).unwrap();
        let map = ValidityMap::of(&source, 64, &|_| Ok(())).unwrap();
        assert_eq!(map.valid_pixels(), (height * width) as u64);
        assert_eq!(map, ValidityMap::full((height, width), 64));
    }
}
