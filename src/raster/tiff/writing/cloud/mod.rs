//! Writes a Cloud Optimized GeoTIFF: an image with overviews, in the order that readers over a network need.
//!
//! The header and the smallest overview come first in the file but are known last. So blocks are written to a temporary
//! file as they arrive, overviews are made from it level by level, and everything is put in order at the end; memory
//! holds only lists of blocks and one block at a time per thread.

mod file;
mod header;
mod level;
mod mask;
mod overview;
mod reduce;
mod unpack;

use std::path::{Path, PathBuf};

use ndarray::ArrayView2;

use self::level::Level;
use super::fault::fault;
use super::grid::Block;
use super::spec::RasterSpec;
use super::tags;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Scratch;

/// The blocks of an image received so far.
pub(super) struct CloudOptimized {
    path: PathBuf,
    image: Level,
    scratch: Scratch,
}

impl CloudOptimized {
    /// Begins a file; on failure, nothing is left behind.
    pub fn begin(spec: &RasterSpec, path: &Path) -> Result<Self> {
        let image = Level::of(spec.clone(), path)?;
        tags::image(spec, &image.grid, path)?;
        Ok(Self { path: path.to_path_buf(), image, scratch: Scratch::create_beside(path)? })
    }

    /// Stores the compressed block with this index.
    pub fn put(&mut self, index: usize, bytes: &[u8]) -> tiff_writer::Result<()> {
        let start = self.scratch.append(bytes)?;
        self.image.keep(index, start, bytes.len())
    }

    /// Stores which pixels of a block have data; `valid` covers the rows of the block. Blocks without a mask are valid.
    pub fn put_mask(&mut self, block: &Block, valid: ArrayView2<'_, bool>) -> tiff_writer::Result<()> {
        if let Some(bytes) = mask::packed(valid, block)? {
            let start = self.scratch.append(&bytes)?;
            self.image.keep_mask(block.index, start, bytes.len());
        }
        Ok(())
    }

    /// Makes the overviews, puts everything in order, and renames the file to its final name.
    pub fn publish(self) -> Result<()> {
        let Self { path, image, mut scratch } = self;
        if let Some(found) = image.missing() {
            return Err(Error::new(ErrorKind::Usage, "the image is not complete").at(&path).found(found));
        }
        let mut levels = vec![image];
        while let Some(mut next) = levels[levels.len() - 1].smaller(&path)? {
            let made = overview::make(&levels[levels.len() - 1], &mut next, &mut scratch);
            made.map_err(|error| fault(&path, error))?;
            levels.push(next);
        }
        file::write(&levels, &mut scratch, &path)
    }
}
