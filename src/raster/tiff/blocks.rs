//! The locations of the strips or tiles of an image, and the pixels that they cover.

use std::ops::Range;

use tiff_reader::{Ifd, constants};

use super::fault::Fault;
use super::layout::Layout;
use super::numbers;

/// All strips or tiles of an image.
pub(super) struct Blocks {
    rows: usize,
    columns: usize,
    height: usize,
    width: usize,
    is_tiled: bool,
    /// Number of bands in one block.
    pub bands: usize,
    planes: usize,
    offsets: Vec<u64>,
    counts: Vec<u64>,
}

/// One strip or tile.
pub(super) struct Block {
    pub index: usize,
    pub offset: u64,
    pub count: u64,
    /// The first of its bands.
    pub band: usize,
    /// The part of it within the image; a tile is stored in full.
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub stored_rows: usize,
    /// Number of rows of a block that is not cut off at the lower edge.
    pub full_rows: usize,
}

/// The contents of a block.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub columns: usize,
    /// Requested rows.
    pub rows: usize,
    /// Rows that some writers store in the last strip of an image.
    pub most_rows: usize,
    pub bands: usize,
}

impl Block {
    /// Whether nothing is stored for it.
    pub fn is_sparse(&self) -> bool {
        self.count == 0
    }
}

impl Blocks {
    /// Creates the list of blocks; `file_bytes` is the length of the file.
    pub fn of(ifd: &Ifd, layout: &Layout, file_bytes: u64) -> Result<Self, Fault> {
        let is_tiled = ifd.is_tiled();
        let (offsets, counts) = match is_tiled {
            true => (constants::TAG_TILE_OFFSETS, constants::TAG_TILE_BYTE_COUNTS),
            false => (constants::TAG_STRIP_OFFSETS, constants::TAG_STRIP_BYTE_COUNTS),
        };
        let mut blocks = Self {
            rows: layout.block_rows,
            columns: layout.block_columns,
            height: layout.height,
            width: layout.width,
            is_tiled,
            bands: layout.block_bands,
            planes: layout.bands.div_ceil(layout.block_bands.max(1)),
            offsets: numbers::all(ifd, offsets)?.unwrap_or_default(),
            counts: numbers::all(ifd, counts)?.unwrap_or_default(),
        };
        blocks.supply_counts(file_bytes);
        Ok(blocks)
    }

    /// Some writers omit or zero the size of a single strip. libtiff then uses the rest of the file.
    fn supply_counts(&mut self, file_bytes: u64) {
        let is_only_strip = !self.is_tiled && self.height <= self.rows;
        let are_missing = self.counts.is_empty();
        let is_zero = self.planes == 1 && self.counts.first() == Some(&0) && self.offsets.first() > Some(&0);
        if is_only_strip && (are_missing || is_zero) {
            self.counts = self.offsets.iter().map(|offset| file_bytes.saturating_sub(*offset)).collect();
        }
    }

    /// Checks that the file specifies the offset and size of each block.
    pub fn check(&self) -> Result<(), Fault> {
        let (down, across) = (self.height.div_ceil(self.rows), self.width.div_ceil(self.columns));
        let wanted = down.checked_mul(across).and_then(|blocks| blocks.checked_mul(self.planes));
        let (offsets, counts) = (self.offsets.len(), self.counts.len());
        match wanted.is_some_and(|wanted| offsets >= wanted && counts >= wanted) {
            true => Ok(()),
            false => Err(Fault::format(format!(
                "{offsets} offsets and {counts} sizes for {} bands of {down} x {across} strips or tiles",
                self.planes
            ))),
        }
    }

    /// Number of columns stored in each block.
    pub fn stored_columns(&self) -> usize {
        self.columns
    }

    /// Returns the blocks that overlap a part of the image.
    pub fn within(&self, rows: Range<usize>, columns: Range<usize>) -> impl Iterator<Item = Block> + '_ {
        let (down, across) = (self.height.div_ceil(self.rows), self.width.div_ceil(self.columns));
        let block_rows = rows.start / self.rows..rows.end.div_ceil(self.rows);
        let block_columns = columns.start / self.columns..columns.end.div_ceil(self.columns);
        (0..self.planes).flat_map(move |plane| {
            let block_columns = block_columns.clone();
            block_rows.clone().flat_map(move |y| {
                block_columns.clone().map(move |x| self.block(plane * down * across + y * across + x, plane, y, x))
            })
        })
    }

    fn block(&self, index: usize, plane: usize, y: usize, x: usize) -> Block {
        let rows = y * self.rows..((y + 1) * self.rows).min(self.height);
        Block {
            index,
            offset: self.offsets.get(index).copied().unwrap_or(0),
            count: self.counts.get(index).copied().unwrap_or(0),
            band: plane * self.bands,
            stored_rows: if self.is_tiled { self.rows } else { rows.len() },
            full_rows: self.rows,
            rows,
            columns: x * self.columns..((x + 1) * self.columns).min(self.width),
        }
    }
}
