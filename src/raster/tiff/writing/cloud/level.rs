//! An image of a pyramid: its layout, and where its blocks are stored.

use std::path::Path;

use super::super::grid::{Block, Grid};
use super::super::spec::{Interleave, RasterSpec};
use crate::error::Result;

/// Up to this side an image needs no overview, whatever its tiles, because every viewer shows at least as much at once.
const SMALLEST_SIDE: usize = 512;

/// Where the bytes of a block are stored; a length of 0 means none.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Kept {
    pub start: u64,
    pub length: u32,
}

/// The image itself, or an overview.
pub(super) struct Level {
    pub spec: RasterSpec,
    pub grid: Grid,
    pub blocks: Vec<Kept>,
    /// Which pixels have data, for the blocks of one plane; empty if all pixels do.
    pub masks: Vec<Kept>,
}

impl Level {
    /// Creates an image without blocks.
    pub fn of(spec: RasterSpec, path: &Path) -> Result<Self> {
        let grid = Grid::of(&spec, path)?;
        let (_, height, width) = spec.shape();
        let in_plane = height.div_ceil(grid.block_height) * width.div_ceil(grid.block_width);
        let planes = if is_one_plane(&spec) { 1 } else { spec.shape().0 };
        Ok(Self {
            spec,
            grid,
            blocks: vec![Kept::default(); in_plane * planes],
            masks: vec![Kept::default(); in_plane],
        })
    }

    /// Returns the next overview, without blocks; `None` if one tile holds the image.
    pub fn smaller(&self, path: &Path) -> Result<Option<Self>> {
        let (bands, height, width) = self.spec.shape();
        let fits = |side: usize, block: usize| side <= block.min(SMALLEST_SIDE);
        if fits(height, self.grid.block_height) && fits(width, self.grid.block_width) {
            return Ok(None);
        }
        let shape = (bands, height.div_ceil(2), width.div_ceil(2));
        Self::of(RasterSpec { shape, ..self.spec.clone() }, path).map(Some)
    }

    /// Returns all blocks, in the order in which the file lists them.
    pub fn all_blocks(&self) -> Vec<Block> {
        let (_, height, width) = self.spec.shape();
        self.grid.blocks(0..height, 0..width)
    }

    pub fn keep(&mut self, index: usize, start: u64, length: usize) -> tiff_writer::Result<()> {
        let total = self.blocks.len();
        let kept = self.blocks.get_mut(index).ok_or(tiff_writer::Error::BlockIndexOutOfRange { index, total })?;
        if kept.length > 0 {
            return Err(tiff_writer::Error::BlockAlreadyWritten { index });
        }
        *kept = Kept { start, length: length as u32 };
        Ok(())
    }

    pub fn keep_mask(&mut self, index: usize, start: u64, length: usize) {
        if let Some(kept) = self.masks.get_mut(index) {
            *kept = Kept { start, length: length as u32 };
        }
    }

    pub fn mask_of(&self, block: &Block) -> Kept {
        self.masks[block.index % self.masks.len()]
    }

    pub fn has_masks(&self) -> bool {
        self.masks.iter().any(|mask| mask.length > 0)
    }

    /// Returns how much of it exists, if it is incomplete.
    pub fn missing(&self) -> Option<String> {
        let found = self.blocks.iter().filter(|kept| kept.length > 0).count();
        (found < self.blocks.len()).then(|| format!("{found} of {} tiles", self.blocks.len()))
    }
}

/// Returns whether a block contains all bands of its pixels.
pub(super) fn is_one_plane(spec: &RasterSpec) -> bool {
    spec.interleave == Interleave::Pixel || spec.shape().0 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Dtype;
    use crate::raster::tiff::writing::{Blocks, OverviewResampling};

    fn sizes(height: usize, width: usize, side: usize) -> Vec<(usize, usize)> {
        let blocks = Blocks::Tiles { width: side, height: side };
        let spec = RasterSpec::new(1, height, width, Dtype::U8).cloud_optimized(OverviewResampling::Average);
        let path = Path::new("a.tif");
        let first = Level::of(spec.blocks(blocks), path).unwrap();
        let next = |level: &Level| level.smaller(path).unwrap();
        let levels = std::iter::successors(next(&first), next);
        levels.map(|level| (level.spec.shape().1, level.spec.shape().2)).collect()
    }

    #[test]
    fn overviews_end_where_one_tile_holds_the_image() {
        assert_eq!(sizes(512, 512, 512), []);
        assert_eq!(sizes(513, 3, 512), [(257, 2)]);
        assert_eq!(sizes(3, 1100, 256), [(2, 550), (1, 275), (1, 138)]);
        assert_eq!(sizes(800, 1025, 1024), [(400, 513), (200, 257)]);
    }
}
