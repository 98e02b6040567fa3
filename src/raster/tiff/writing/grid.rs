//! Divides an image into blocks, and checks the requested layout.

use std::ops::Range;
use std::path::Path;

use super::spec::{Blocks, Interleave, RasterSpec};
use crate::error::{Error, ErrorKind, Result};

/// GDAL counts pixels in signed 32 bits, and bands in unsigned 16 bits.
const LONGEST_SIDE: usize = i32::MAX as usize;
const MOST_BANDS: usize = u16::MAX as usize;
const LARGEST_BLOCK: usize = 1 << 30;
/// Memory for buffered rows.
const MOST_GATHERED: usize = 1 << 31;
/// As many as can be read back: their list is kept in memory.
const MOST_BLOCKS: usize = 1 << 23;
/// Rows to buffer if blocks are strips, so that several are compressed in parallel.
const ROWS_OF_STRIPS: usize = 256;

/// The blocks of an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    shape: (usize, usize, usize),
    interleave: Interleave,
    pub is_tiled: bool,
    pub block_height: usize,
    pub block_width: usize,
}

/// One block; `top` and `left` are relative to the buffered rows and columns.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Its index in the file's list.
    pub index: usize,
    pub bands: Range<usize>,
    pub top: usize,
    pub left: usize,
    pub height: usize,
    pub width: usize,
}

impl Grid {
    pub fn of(spec: &RasterSpec, path: &Path) -> Result<Self> {
        let (bands, height, width) = spec.shape;
        let within = |value, most| (1..=most).contains(&value);
        if !within(bands, MOST_BANDS) || !within(height, LONGEST_SIDE) || !within(width, LONGEST_SIDE) {
            return Err(Error::new(ErrorKind::Usage, "a GeoTIFF cannot have this shape")
                .at(path)
                .expected(format!("1 to {MOST_BANDS} bands, sides of 1 to {LONGEST_SIDE} pixels"))
                .found(format!("{bands} bands of {width} x {height} pixels")));
        }
        let (is_tiled, block_width, block_height) = block_size(spec, path)?;
        let grid = Self { shape: spec.shape, interleave: spec.interleave, is_tiled, block_height, block_width };
        let sides = [block_height, block_width, spec.dtype.bytes()];
        let bytes = sides.iter().try_fold(grid.block_bands(), |product, side| product.checked_mul(*side));
        if bytes.is_none_or(|bytes| bytes > LARGEST_BLOCK) {
            let found = format!("{block_width} x {block_height} pixels of {} bands", grid.block_bands());
            return Err(unfit(path, format!("at most {LARGEST_BLOCK} bytes"), found));
        }
        grid.check_count(path)?;
        Ok(grid)
    }

    /// Checks that there is memory for the buffered rows.
    pub fn check_gathered(&self, path: &Path, sample_bytes: usize) -> Result<()> {
        let (bands, _, width) = self.shape;
        let gathered = [width, self.rows_at_once(), sample_bytes].iter().try_fold(bands, |a, b| a.checked_mul(*b));
        if gathered.is_none_or(|bytes| bytes > MOST_GATHERED) {
            let expected = format!("at most {MOST_GATHERED} bytes a row of tiles or strips");
            return Err(self.too_large(path, expected, "Make them less high."));
        }
        Ok(())
    }

    fn check_count(&self, path: &Path) -> Result<()> {
        let (bands, height, width) = self.shape;
        let counts = [height.div_ceil(self.block_height), bands / self.block_bands()];
        let blocks = counts.iter().try_fold(width.div_ceil(self.block_width), |a, b| a.checked_mul(*b));
        if blocks.is_none_or(|blocks| blocks > MOST_BLOCKS) {
            return Err(self.too_large(path, format!("at most {MOST_BLOCKS} tiles or strips"), "Make them larger."));
        }
        Ok(())
    }

    fn too_large(&self, path: &Path, expected: String, help: &str) -> Error {
        let (bands, height, width) = self.shape;
        Error::new(ErrorKind::Limits, "this image is too large to be written")
            .at(path)
            .expected(expected)
            .found(format!("{bands} bands of {width} x {height} pixels"))
            .help(help)
    }

    fn block_bands(&self) -> usize {
        match self.interleave {
            Interleave::Pixel => self.shape.0,
            Interleave::Band => 1,
        }
    }

    /// Returns the number of rows to buffer before compression: a row of tiles, or several strips.
    pub fn rows_at_once(&self) -> usize {
        let strips = if self.is_tiled { 1 } else { (ROWS_OF_STRIPS / self.block_height).max(1) };
        (self.block_height * strips).min(self.shape.1)
    }

    /// Returns the blocks of these rows and columns, which begin and end at block boundaries, or with the image.
    pub fn blocks(&self, rows: Range<usize>, columns: Range<usize>) -> Vec<Block> {
        let (bands, height, width) = self.shape;
        let (across, down) = (width.div_ceil(self.block_width), height.div_ceil(self.block_height));
        let mut blocks = Vec::new();
        for (plane, bands) in
            (0..bands).step_by(self.block_bands()).map(|band| band..band + self.block_bands()).enumerate()
        {
            for row in rows.start / self.block_height..rows.end.div_ceil(self.block_height) {
                let top = row * self.block_height;
                // Tiles are stored in full at the edges, strips are not.
                let block_rows = if self.is_tiled { self.block_height } else { self.block_height.min(height - top) };
                let within = columns.start / self.block_width..columns.end.div_ceil(self.block_width);
                blocks.extend(within.map(|column| Block {
                    index: (plane * down + row) * across + column,
                    bands: bands.clone(),
                    top: top - rows.start,
                    left: column * self.block_width - columns.start,
                    height: block_rows,
                    width: self.block_width,
                }));
            }
        }
        blocks
    }
}

/// Returns whether blocks are tiles, and their width and height.
fn block_size(spec: &RasterSpec, path: &Path) -> Result<(bool, usize, usize)> {
    let (_, height, width) = spec.shape;
    match spec.blocks_or_default() {
        Blocks::Tiles { width: across, height: down } => {
            let is_side = |side: usize| side > 0 && side.is_multiple_of(16);
            if !is_side(across) || !is_side(down) {
                return Err(unfit(path, "multiples of 16 pixels", format!("{across} x {down}")));
            }
            // All images of a pyramid use the same grid, as readers of map tiles expect.
            let most = |side: usize| if spec.overviews.is_some() { usize::MAX } else { side.next_multiple_of(16) };
            Ok((true, across.min(most(width)), down.min(most(height))))
        }
        Blocks::Strips { .. } if spec.overviews.is_some() => {
            Err(unfit(path, "tiles in a Cloud Optimized GeoTIFF", "strips".into()))
        }
        Blocks::Strips { rows: 0 } => Err(unfit(path, "at least one row a strip", "0".into())),
        Blocks::Strips { rows } => Ok((false, width, rows.min(height))),
    }
}

fn unfit(path: &Path, expected: impl Into<String>, found: String) -> Error {
    Error::new(ErrorKind::Usage, "tiles or strips of this size cannot be written")
        .at(path)
        .expected(expected.into())
        .found(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Dtype;

    fn grid(spec: RasterSpec) -> Grid {
        Grid::of(&spec, Path::new("a.tif")).unwrap()
    }

    #[test]
    fn tiles_are_whole_and_no_larger_than_the_image_needs() {
        let grid = grid(RasterSpec::new(2, 300, 40, Dtype::U8));
        assert_eq!((grid.block_height, grid.block_width, grid.rows_at_once()), (256, 48, 256));
        let last = &grid.blocks(256..300, 0..40)[0];
        assert_eq!((last.index, last.top, last.height, last.bands.clone()), (1, 0, 256, 0..2));
    }

    #[test]
    fn strips_end_with_the_image_and_planes_follow_each_other() {
        let spec = RasterSpec::new(2, 25, 40, Dtype::U8).interleave(Interleave::Band);
        let blocks = grid(spec.blocks(Blocks::Strips { rows: 10 })).blocks(0..25, 0..40);
        let facts: Vec<_> = blocks.iter().map(|b| (b.index, b.bands.start, b.top, b.height)).collect();
        assert_eq!(facts, [(0, 0, 0, 10), (1, 0, 10, 10), (2, 0, 20, 5), (3, 1, 0, 10), (4, 1, 10, 10), (5, 1, 20, 5)]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let image = || RasterSpec::new(1, 9, 9, Dtype::F64);
        let wide = |blocks| RasterSpec::new(9, 1 << 20, 1 << 20, Dtype::F64).blocks(blocks);
        for spec in [
            RasterSpec::new(0, 9, 9, Dtype::U8),
            RasterSpec::new(1, 0, 9, Dtype::U8),
            RasterSpec::new(1, 9, 1 << 31, Dtype::U8),
            RasterSpec::new(65536, 9, 9, Dtype::U8),
            image().blocks(Blocks::Strips { rows: 0 }),
            image().blocks(Blocks::Tiles { width: 16, height: 0 }),
            image().blocks(Blocks::Tiles { width: 100, height: 16 }),
            wide(Blocks::Strips { rows: usize::MAX }),
            wide(Blocks::Tiles { width: usize::MAX - 15, height: usize::MAX - 15 }),
        ] {
            assert_eq!(Grid::of(&spec, Path::new("a.tif")).unwrap_err().kind(), ErrorKind::Usage, "{spec:?}");
        }
        for (height, width) in [(9, (1 << 31) - 1), ((1 << 31) - 1, 4096)] {
            let spec = RasterSpec::new(255, height, width, Dtype::F64).blocks(Blocks::Tiles { width: 16, height: 16 });
            let path = Path::new("a.tif");
            let error = Grid::of(&spec, path).and_then(|grid| grid.check_gathered(path, 8)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Limits, "{error}");
        }
    }
}
