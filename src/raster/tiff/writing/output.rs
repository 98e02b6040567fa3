//! Where the blocks of a file go.

use std::io::{Seek, Write};
use std::path::Path;

use ndarray::ArrayView2;
use tiff_writer::{ImageBuilder, ImageHandle, TiffWriter};

use super::cloud::CloudOptimized;
use super::fault::fault;
use super::grid::{Block, Grid};
use super::spec::RasterSpec;
use super::tags;
use crate::error::Result;
use crate::store::Pending;

/// A file on its way to its name.
pub(super) enum Target {
    Plain(Output<Pending>),
    CloudOptimized(Box<CloudOptimized>),
}

impl Target {
    /// Begins a file; what cannot be written leaves none behind.
    pub fn begin(spec: &RasterSpec, grid: &Grid, path: &Path) -> Result<Self> {
        if spec.overviews.is_some() {
            return Ok(Self::CloudOptimized(Box::new(CloudOptimized::begin(spec, path)?)));
        }
        let image = tags::image(spec, grid, path)?;
        Ok(Self::Plain(Output::on(Pending::create(path)?, image, spec, path)?))
    }

    /// Writes the block of this index, compressed.
    pub fn put(&mut self, index: usize, bytes: &[u8]) -> tiff_writer::Result<()> {
        match self {
            Self::Plain(output) => output.put(index, bytes),
            Self::CloudOptimized(output) => output.put(index, bytes),
        }
    }

    /// Writes which pixels of a block hold data, of which `valid` has its rows. A plain file has no place for that.
    pub fn put_mask(&mut self, block: &Block, valid: ArrayView2<'_, bool>) -> tiff_writer::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::CloudOptimized(output) => output.put_mask(block, valid),
        }
    }

    /// Ends the file and gives it its name.
    pub fn publish(self, path: &Path) -> Result<()> {
        match self {
            Self::Plain(output) => output.finish(path)?.finish()?.publish(),
            Self::CloudOptimized(output) => output.publish(),
        }
    }
}

/// Blocks in the order in which they come, and the header behind them.
pub(super) struct Output<W: Write + Seek> {
    tiff: TiffWriter<W>,
    image: ImageHandle,
}

impl<W: Write + Seek> Output<W> {
    pub fn on(target: W, image: ImageBuilder, spec: &RasterSpec, path: &Path) -> Result<Self> {
        let begin = || {
            let mut tiff = TiffWriter::new(target, tags::options(spec))?;
            let image = tiff.add_image(image)?;
            Ok(Self { tiff, image })
        };
        begin().map_err(|error| fault(path, error))
    }

    pub fn finish(self, path: &Path) -> Result<W> {
        self.tiff.finish().map_err(|error| fault(path, error))
    }

    pub fn put(&mut self, index: usize, bytes: &[u8]) -> tiff_writer::Result<()> {
        self.tiff.write_block_raw(&self.image, index, bytes)
    }
}
