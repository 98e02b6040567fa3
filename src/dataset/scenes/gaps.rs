//! Bounds on the number of nodata pixels in a window.

use super::validity_map::ValidityMap;
use super::window::SceneWindow;

/// Cumulative sums of nodata pixels over the cells of a validity map, for quick checks of any window.
pub(super) struct Gaps {
    cell: usize,
    /// Number of cells in a row.
    across: usize,
    /// Sums over all cells above and to the left of each cell corner, row by row; empty if all pixels have data.
    sums: Vec<u64>,
}

impl Gaps {
    /// Computes the sums; `cell` is the side of the map's cells.
    pub fn of(map: &ValidityMap, cell: usize) -> Self {
        let (height, width) = map.size();
        let across = width.div_ceil(cell);
        if map.valid_pixels() == height as u64 * width as u64 {
            return Self { cell, across, sums: Vec::new() };
        }
        let mut sums = vec![0; (across + 1) * (height.div_ceil(cell) + 1)];
        let mut cells = map.cells();
        for row in 1..=height.div_ceil(cell) {
            let mut in_row = 0;
            for (column, (window, valid)) in (1..).zip(cells.by_ref().take(across)) {
                in_row += window.pixels().saturating_sub(u64::from(valid));
                sums[row * (across + 1) + column] = sums[(row - 1) * (across + 1) + column] + in_row;
            }
        }
        Self { cell, across, sums }
    }

    /// Returns where the result for a window may change along an axis of this length: the edges of the cells.
    pub fn edges(&self, length: usize) -> Vec<usize> {
        if self.sums.is_empty() { Vec::new() } else { (0..=length).step_by(self.cell).collect() }
    }

    /// Returns an upper bound on the nodata pixels of a window within the scene: all those of the cells that it
    /// touches.
    pub fn most_in(&self, window: SceneWindow) -> u64 {
        let (left, right) = (window.column / self.cell, window.right().div_ceil(self.cell));
        let (top, bottom) = (window.row / self.cell, window.bottom().div_ceil(self.cell));
        let at = |row: usize, column: usize| self.sums.get(row * (self.across + 1) + column).copied().unwrap_or(0);
        (at(bottom, right) + at(top, left)).saturating_sub(at(top, right) + at(bottom, left))
    }

    /// Returns whether at least this share of a window's pixels is certain to have data.
    pub fn allow(&self, window: SceneWindow, least: f64) -> bool {
        self.most_in(window) as f64 <= (1.0 - least) * window.pixels() as f64
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, Array3};
    use proptest::prelude::*;

    use super::*;
    use crate::raster::{Raster, Source};

    proptest! {
        #[test]
        fn windows_have_no_more_gaps(
            (height, width) in (1usize..40, 1usize..40), cell in 1usize..9, seed in any::<u64>(), of in 1usize..9,
            (column, row, across, down) in (0usize..40, 0usize..40, 1usize..40, 1usize..40),
        ) {
            let mut random = crate::random::Seed(seed).stream("gaps", 0);
            let valid = Array2::from_shape_fn((height, width), |_| random.below(of) == 0);
            let image = Raster::new(Array3::<u8>::from_elem((1, height, width), 1)).unwrap();
            let source = Source::of(image.with_validity(&valid).unwrap());
            let map = ValidityMap::of(&source, cell, &|_| Ok(())).unwrap();
            let gaps = Gaps::of(&map, cell);
            let window = SceneWindow::new(column.min(width - 1), row.min(height - 1), across, down);
            let window = window.intersection(SceneWindow::new(0, 0, width, height)).unwrap();
            let counted = |window: SceneWindow| {
                let inside = |y: usize, x: usize| window.contains(SceneWindow::new(x, y, 1, 1));
                valid.indexed_iter().filter(|((y, x), valid)| !**valid && inside(*y, *x)).count() as u64
            };
            prop_assert!(gaps.most_in(window) >= counted(window));
            for (own, _) in map.cells() {
                prop_assert_eq!(gaps.most_in(own), counted(own));
            }
            prop_assert_eq!(gaps.edges(height).is_empty(), valid.iter().all(|valid| *valid));
        }
    }
}
