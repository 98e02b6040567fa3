//! Rectangular windows of a scene.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A rectangle of whole pixels of a scene, relative to the upper left corner.
///
/// ```
/// use geolearn::dataset::SceneWindow;
///
/// let window = SceneWindow::new(256, 0, 256, 256);
/// assert!(window.overlaps(SceneWindow::new(500, 100, 64, 64)));
/// assert!(!window.overlaps(SceneWindow::new(512, 0, 256, 256)), "edges that touch share no pixel");
/// assert_eq!(window.to_string(), "256 x 256 pixels from column 256, row 0");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SceneWindow {
    /// First column, from 0.
    pub column: usize,
    /// First row, from 0.
    pub row: usize,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
}

impl SceneWindow {
    /// Creates a window of `width` x `height` pixels that begins at (`column`, `row`): the order of rasterio's
    /// `Window`.
    pub const fn new(column: usize, row: usize, width: usize, height: usize) -> Self {
        Self { column, row, width, height }
    }

    /// Returns the column after the last one.
    pub const fn right(self) -> usize {
        self.column.saturating_add(self.width)
    }

    /// Returns the row after the last one.
    pub const fn bottom(self) -> usize {
        self.row.saturating_add(self.height)
    }

    /// Returns the number of pixels.
    pub const fn pixels(self) -> u64 {
        (self.width as u64).saturating_mul(self.height as u64)
    }

    /// Returns whether the two windows share a pixel.
    pub const fn overlaps(self, other: Self) -> bool {
        self.intersection(other).is_some()
    }

    /// Returns whether this window contains all pixels of `other`.
    pub const fn contains(self, other: Self) -> bool {
        self.column <= other.column
            && self.row <= other.row
            && other.right() <= self.right()
            && other.bottom() <= self.bottom()
    }

    /// Returns the pixels that the two windows share; `None` if there are none.
    pub const fn intersection(self, other: Self) -> Option<Self> {
        let (column, row) = (larger(self.column, other.column), larger(self.row, other.row));
        let (right, bottom) = (smaller(self.right(), other.right()), smaller(self.bottom(), other.bottom()));
        if column < right && row < bottom {
            Some(Self { column, row, width: right - column, height: bottom - row })
        } else {
            None
        }
    }

    /// Returns the window enlarged by `margin` pixels on each side. It is clipped at column and row 0, but may end
    /// outside the scene.
    pub const fn grown(self, margin: usize) -> Self {
        let (column, row) = (self.column.saturating_sub(margin), self.row.saturating_sub(margin));
        let (right, bottom) = (self.right().saturating_add(margin), self.bottom().saturating_add(margin));
        Self { column, row, width: right - column, height: bottom - row }
    }

    /// Returns the smallest window that contains every point of this one when it is rotated by `degrees` about its
    /// center, and the neighboring pixels that interpolation reads; `None` if that begins above or to the left of the
    /// scene.
    ///
    /// Quarter turns of squares need nothing beyond the square.
    pub fn turned(self, degrees: f64) -> Option<Self> {
        if degrees % 180.0 == 0.0 || (degrees % 90.0 == 0.0 && self.width == self.height) {
            return Some(self);
        }
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (width, height) = (self.width as f64, self.height as f64);
        let turned = |along: f64, across: f64| along * cos.abs() + across * sin.abs();
        let (column, across) = around(self.column, width, turned(width, height))?;
        let (row, down) = around(self.row, height, turned(height, width))?;
        Some(Self { column, row, width: across, height: down })
    }

    /// Returns whether the window is within a scene of this height and width.
    pub const fn fits(self, (height, width): (usize, usize)) -> bool {
        self.right() <= width && self.bottom() <= height
    }
}

/// Returns the start and length, in whole pixels, of an interval of this `length` around the center of the one that
/// begins at `start` and is `side` long.
fn around(start: usize, side: f64, length: f64) -> Option<(usize, usize)> {
    let center = start as f64 + side / 2.0;
    let (from, to) = ((center - length / 2.0).floor() - 1.0, (center + length / 2.0).ceil() + 1.0);
    (from >= 0.0).then_some((from as usize, (to - from) as usize))
}

const fn larger(one: usize, other: usize) -> usize {
    if one > other { one } else { other }
}

const fn smaller(one: usize, other: usize) -> usize {
    if one < other { one } else { other }
}

impl fmt::Display for SceneWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { column, row, width, height } = self;
        write!(f, "{width} x {height} pixels from column {column}, row {row}")
    }
}

/// Returns the windows of `tile` = (width, height) every `stride` = (across, down) pixels that are within a scene of
/// `size` = (height, width), row by row. Neither `tile` nor `stride` may be 0. The remainder at the right and lower
/// edges is in no window.
pub(crate) fn grid(
    (height, width): (usize, usize),
    tile: (usize, usize),
    stride: (usize, usize),
) -> impl Iterator<Item = SceneWindow> + Clone {
    let starts =
        |length: usize, side: usize, stride: usize| (0..(length + 1).saturating_sub(side)).step_by(stride.max(1));
    let columns = starts(width, tile.0, stride.0);
    starts(height, tile.1, stride.1)
        .flat_map(move |row| columns.clone().map(move |column| SceneWindow::new(column, row, tile.0, tile.1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_grid_covers_what_fits() {
        let windows: Vec<_> = grid((5, 7), (3, 2), (2, 2)).map(|window| (window.column, window.row)).collect();
        assert_eq!(windows, [(0, 0), (2, 0), (4, 0), (0, 2), (2, 2), (4, 2)]);
        assert_eq!(grid((1, 7), (3, 2), (2, 2)).count(), 0);
        assert_eq!(grid((2, 3), (3, 2), (9, 9)).count(), 1);
        assert_eq!(grid((0, 0), (3, 2), (1, 1)).count(), 0);
    }

    #[test]
    fn quarter_turns_of_squares_need_no_more() {
        let square = SceneWindow::new(10, 20, 64, 64);
        for degrees in [0.0, 90.0, 180.0, 270.0] {
            assert_eq!(square.turned(degrees), Some(square));
        }
        // 64 * sqrt(2) = 90.5 around 42: from -3.3, which is not in the scene.
        assert_eq!(square.turned(45.0), None);
        assert_eq!(SceneWindow::new(20, 20, 64, 64).turned(45.0), Some(SceneWindow::new(5, 5, 94, 94)));
        assert_eq!(SceneWindow::new(20, 20, 40, 20).turned(90.0), Some(SceneWindow::new(29, 9, 22, 42)));
    }

    fn any_window() -> impl Strategy<Value = SceneWindow> {
        (0usize..30, 0usize..30, 1usize..20, 1usize..20).prop_map(|(c, r, w, h)| SceneWindow::new(c, r, w, h))
    }

    proptest! {
        /// Compared pixel by pixel.
        #[test]
        fn sets_of_pixels_agree(one in any_window(), other in any_window(), margin in 0usize..4) {
            let pixels = |window: SceneWindow| -> Vec<(usize, usize)> {
                (window.row..window.bottom()).flat_map(|y| (window.column..window.right()).map(move |x| (y, x))).collect()
            };
            let (own, others) = (pixels(one), pixels(other));
            let shared: Vec<_> = own.iter().copied().filter(|pixel| others.contains(pixel)).collect();
            prop_assert_eq!(one.intersection(other).map(pixels).unwrap_or_default(), shared.clone());
            prop_assert_eq!(one.overlaps(other), !shared.is_empty());
            prop_assert_eq!(one.contains(other), shared == others);
            prop_assert!(one.grown(margin).contains(one));
            prop_assert_eq!(one.pixels(), own.len() as u64);
            // Windows closer than the margin share a pixel with the grown window.
            let gap = |low: usize, high: usize, start: usize, end: usize| start.saturating_sub(high).max(low.saturating_sub(end));
            let apart = gap(one.column, one.right(), other.column, other.right()).max(gap(one.row, one.bottom(), other.row, other.bottom()));
            if !one.overlaps(other) {
                prop_assert_eq!(one.grown(margin).overlaps(other), apart < margin);
            }
        }

        #[test]
        fn turned_corners_stay_within(window in any_window(), degrees in 0.0..360.0f64) {
            let window = SceneWindow::new(window.column + 40, window.row + 40, window.width, window.height);
            let bounds = window.turned(degrees).unwrap();
            let (sin, cos) = degrees.to_radians().sin_cos();
            let (x, y) = (window.column as f64 + window.width as f64 / 2.0, window.row as f64 + window.height as f64 / 2.0);
            for (dx, dy) in [(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)] {
                let (dx, dy) = (dx * window.width as f64, dy * window.height as f64);
                let (x, y) = (x + dx * cos - dy * sin, y + dx * sin + dy * cos);
                prop_assert!(x >= bounds.column as f64 - 1e-9 && x <= bounds.right() as f64 + 1e-9);
                prop_assert!(y >= bounds.row as f64 - 1e-9 && y <= bounds.bottom() as f64 + 1e-9);
            }
        }

        #[test]
        fn windows_of_a_grid_fit(height in 0usize..40, width in 0usize..40, tile in (1usize..9, 1usize..9), stride in (1usize..9, 1usize..9)) {
            let windows: Vec<_> = grid((height, width), tile, stride).collect();
            prop_assert!(windows.iter().all(|window| window.fits((height, width))));
            let along = |length: usize, tile: usize, stride: usize| if length < tile { 0 } else { (length - tile) / stride + 1 };
            prop_assert_eq!(windows.len(), along(width, tile.0, stride.0) * along(height, tile.1, stride.1));
        }
    }
}
