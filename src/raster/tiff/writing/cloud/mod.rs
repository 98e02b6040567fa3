//! A Cloud Optimized GeoTIFF: an image with overviews, in the order in which readers over a network want them.
//!
//! The header and the smallest overview stand first in the file, and are known last. So blocks go into a temporary file
//! as they come, overviews are made from there level by level, and all is put in order at the end; in memory there are
//! lists of blocks and what a block at a time for each thread takes.

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

/// The blocks of an image that were given so far.
pub(super) struct CloudOptimized {
    path: PathBuf,
    image: Level,
    scratch: Scratch,
}

impl CloudOptimized {
    /// Begins a file; what cannot be written leaves none behind.
    pub fn begin(spec: &RasterSpec, path: &Path) -> Result<Self> {
        let image = Level::of(spec.clone(), path)?;
        tags::image(spec, &image.grid, path)?;
        Ok(Self { path: path.to_path_buf(), image, scratch: Scratch::create_beside(path)? })
    }

    /// Keeps the block of this index, compressed.
    pub fn put(&mut self, index: usize, bytes: &[u8]) -> tiff_writer::Result<()> {
        let start = self.scratch.append(bytes)?;
        self.image.keep(index, start, bytes.len())
    }

    /// Keeps which pixels of a block hold data, of which `valid` has its rows; all do where nothing is said.
    pub fn put_mask(&mut self, block: &Block, valid: ArrayView2<'_, bool>) -> tiff_writer::Result<()> {
        if let Some(bytes) = mask::packed(valid, block)? {
            let start = self.scratch.append(&bytes)?;
            self.image.keep_mask(block.index, start, bytes.len());
        }
        Ok(())
    }

    /// Makes the overviews, puts all in order and gives the file its name.
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
