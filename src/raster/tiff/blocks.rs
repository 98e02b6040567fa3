//! Where the strips or tiles of an image are, and which pixels are theirs.

use std::ops::Range;

use tiff_reader::Ifd;

use super::layout::Layout;

/// All strips or tiles of an image.
pub(super) struct Blocks {
    rows: usize,
    columns: usize,
    height: usize,
    width: usize,
    is_tiled: bool,
    /// Bands of one block.
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
    /// What of it lies within the image; a tile is stored in full.
    pub rows: Range<usize>,
    pub columns: Range<usize>,
    pub stored_rows: usize,
}

impl Block {
    /// Nothing is stored for it.
    pub fn is_sparse(&self) -> bool {
        self.offset == 0 || self.count == 0
    }
}

impl Blocks {
    pub fn of(ifd: &Ifd, layout: &Layout) -> Self {
        let (offsets, counts) = match ifd.is_tiled() {
            true => (ifd.tile_offsets(), ifd.tile_byte_counts()),
            false => (ifd.strip_offsets(), ifd.strip_byte_counts()),
        };
        Self {
            rows: layout.block_rows,
            columns: layout.block_columns,
            height: layout.height,
            width: layout.width,
            is_tiled: ifd.is_tiled(),
            bands: layout.block_bands,
            planes: layout.bands.div_ceil(layout.block_bands.max(1)),
            offsets: offsets.unwrap_or_default(),
            counts: counts.unwrap_or_default(),
        }
    }

    pub fn has_sparse(&self) -> bool {
        self.offsets.iter().chain(&self.counts).any(|value| *value == 0)
    }

    /// Whether the file says of each block where it is.
    pub fn is_complete(&self) -> bool {
        let wanted = self.planes * self.height.div_ceil(self.rows) * self.width.div_ceil(self.columns);
        self.offsets.len() >= wanted && self.counts.len() >= wanted
    }

    /// Columns that are stored in each block.
    pub fn stored_columns(&self) -> usize {
        self.columns
    }

    /// The blocks that share pixels with a part of the image.
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
            rows,
            columns: x * self.columns..((x + 1) * self.columns).min(self.width),
        }
    }
}
