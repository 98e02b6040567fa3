//! Destinations for the blocks of a file.

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

/// A file that has not been renamed to its final name yet.
pub(super) enum Target {
    Plain(Output<Pending>),
    CloudOptimized(Box<CloudOptimized>),
}

impl Target {
    /// Begins a file; on failure, nothing is left behind.
    pub fn begin(spec: &RasterSpec, grid: &Grid, path: &Path) -> Result<Self> {
        if spec.overviews.is_some() {
            return Ok(Self::CloudOptimized(Box::new(CloudOptimized::begin(spec, path)?)));
        }
        let image = tags::image(spec, grid, path)?;
        Ok(Self::Plain(Output::on(Pending::create(path)?, image, spec, path)?))
    }

    /// Writes the compressed block with this index.
    pub fn put(&mut self, index: usize, bytes: &[u8]) -> tiff_writer::Result<()> {
        match self {
            Self::Plain(output) => output.put(index, bytes),
            Self::CloudOptimized(output) => output.put(index, bytes),
        }
    }

    /// Writes which pixels of a block have data; `valid` covers the rows of the block. A plain file cannot store that.
    pub fn put_mask(&mut self, block: &Block, valid: ArrayView2<'_, bool>) -> tiff_writer::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::CloudOptimized(output) => output.put_mask(block, valid),
        }
    }

    /// Completes the file and renames it to its final name.
    pub fn publish(self, path: &Path) -> Result<()> {
        match self {
            Self::Plain(output) => output.finish(path)?.finish()?.publish(),
            Self::CloudOptimized(output) => output.publish(),
        }
    }
}

/// Blocks in the order in which they arrive, followed by the header.
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
