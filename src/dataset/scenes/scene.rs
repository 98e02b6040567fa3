//! A scene from which windows are read.

use std::path::Path;

use super::window::SceneWindow;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Dtype, Raster, Source};

/// The largest number of bytes decoded at once for several windows, unless a single window is larger.
const REGION_BYTES: usize = 32 << 20;
/// More windows at one place would be too similar.
const MOST_TOGETHER: usize = 64;

/// An open scene, and the size of its windows.
pub(super) struct Scene {
    pub source: Source,
    /// Height and width of a window in pixels of the scene.
    pub window: (usize, usize),
    /// Height and width of the resulting chip.
    pub chip: (usize, usize),
    /// Bands and type of the samples.
    pub kind: (usize, Dtype),
}

impl Scene {
    pub fn path(&self) -> &Path {
        self.source.path().unwrap_or(Path::new(""))
    }

    /// Reads windows of the scene, each at the size of a chip. Blocks that several windows share are decoded once.
    pub fn read(&self, windows: &[SceneWindow]) -> Result<Vec<Raster>> {
        let Some(bounds) = bounds(windows) else { return Ok(Vec::new()) };
        let region = self.source.window(bounds.row, bounds.column, bounds.height, bounds.width)?;
        if (region.bands(), region.dtype()) != self.kind {
            let told = |(bands, dtype): (usize, Dtype)| format!("{bands} bands of {dtype}");
            return Err(Error::new(ErrorKind::Format, "the scene has changed since the data were prepared")
                .at(self.path())
                .expected(told(self.kind))
                .found(told((region.bands(), region.dtype())))
                .help("Prepare the data again."));
        }
        windows.iter().map(|window| self.chip(&region, bounds, *window)).collect()
    }

    fn chip(&self, region: &Raster, bounds: SceneWindow, window: SceneWindow) -> Result<Raster> {
        let (row, column) = (window.row - bounds.row, window.column - bounds.column);
        let place = self.source.place().shifted(window.row, window.column);
        let part = region.part(row, column, window.height, window.width).with_place(place);
        if self.chip == (window.height, window.width) { Ok(part) } else { part.resize(self.chip.1, self.chip.0) }
    }

    /// Returns how many positions, down and across, have windows that are read together: those that begin in the same
    /// tile, or in as many tiles as a window spans. Along an axis that is decoded as a whole, all of them; so for
    /// strips, those that begin in some rows.
    pub fn group(&self) -> (usize, usize) {
        let (size, block, window) = (self.source.size(), self.source.block_size(), self.window);
        let side = |block: usize, window: usize, size: usize| match block < size {
            true => block * (window / block.max(1)).max(1),
            false => size,
        };
        let most = REGION_BYTES / self.pixel_bytes();
        let fits = |side: usize, window: usize, other: usize| {
            side.min((most / other.max(1)).saturating_sub(window)).max(window)
        };
        let rows = side(block.0, window.0, size.0);
        let columns = fits(side(block.1, window.1, size.1), window.1, rows.min(size.0) + window.0);
        (fits(rows, window.0, columns + window.1), columns)
    }

    /// Returns how many windows of a group have as many pixels in total as must be decoded for them.
    pub fn ideal_together(&self) -> usize {
        let (size, block, group) = (self.source.size(), self.source.block_size(), self.group());
        let decoded =
            |block: usize, group: usize, window: usize, size: usize| if block < size { group + window } else { size };
        let rows = decoded(block.0, group.0, self.window.0, size.0);
        let columns = decoded(block.1, group.1, self.window.1, size.1);
        rows.saturating_mul(columns).div_ceil(self.window.0 * self.window.1).clamp(1, MOST_TOGETHER)
    }

    fn pixel_bytes(&self) -> usize {
        (self.kind.0 * self.kind.1.bytes()).max(1)
    }
}

/// Returns the smallest window that contains all of them.
fn bounds(windows: &[SceneWindow]) -> Option<SceneWindow> {
    windows.iter().copied().reduce(|one, other| {
        let (column, row) = (one.column.min(other.column), one.row.min(other.row));
        let (right, bottom) = (one.right().max(other.right()), one.bottom().max(other.bottom()));
        SceneWindow::new(column, row, right - column, bottom - row)
    })
}
