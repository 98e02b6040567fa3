//! Makes the blocks of an overview from those of the next larger image.

use ndarray::Array2;
use rayon::prelude::*;

use super::super::grid::Block;
use super::super::pack::pack;
use super::super::spec::{OverviewResampling, RasterSpec};
use super::level::Level;
use super::reduce::{reduced, reduced_mask};
use super::{mask, unpack};
use crate::raster::Samples;
use crate::raster::pixel::Gap;
use crate::raster::samples::with_array;
use crate::store::Scratch;

/// The stored sources of a block.
struct Material {
    height: usize,
    width: usize,
    blocks: Vec<(Block, Vec<u8>)>,
    masks: Vec<(Block, Vec<u8>)>,
}

/// A block, and its mask if it has nodata.
struct Made {
    samples: Vec<u8>,
    mask: Option<Vec<u8>>,
}

/// Makes all blocks of `to`, several at a time, one per thread.
pub(super) fn make(from: &Level, to: &mut Level, scratch: &mut Scratch) -> tiff_writer::Result<()> {
    let resampling = from.spec.overviews.unwrap_or_default();
    for blocks in to.all_blocks().chunks(rayon::current_num_threads()) {
        let materials =
            blocks.iter().map(|block| Material::of(block, from, scratch)).collect::<std::io::Result<Vec<_>>>()?;
        let made =
            blocks.par_iter().zip(materials).map(|(block, material)| material.made(block, &from.spec, resampling));
        for (block, made) in blocks.iter().zip(made.collect::<tiff_writer::Result<Vec<_>>>()?) {
            to.keep(block.index, scratch.append(&made.samples)?, made.samples.len())?;
            if let Some(bytes) = made.mask.filter(|_| block.index < to.masks.len()) {
                to.keep_mask(block.index, scratch.append(&bytes)?, bytes.len());
            }
        }
    }
    Ok(())
}

impl Material {
    fn of(block: &Block, from: &Level, scratch: &mut Scratch) -> std::io::Result<Self> {
        let (_, height, width) = from.spec.shape();
        let rows = 2 * block.top..(2 * (block.top + block.height)).min(height);
        let columns = 2 * block.left..(2 * (block.left + block.width)).min(width);
        let mut material = Self { height: rows.len(), width: columns.len(), blocks: Vec::new(), masks: Vec::new() };
        for part in from.grid.blocks(rows, columns).into_iter().filter(|part| part.bands == block.bands) {
            let (kept, mask) = (from.blocks[part.index], from.mask_of(&part));
            if mask.length > 0 {
                material.masks.push((part.clone(), scratch.read(mask.start, mask.length as usize)?));
            }
            material.blocks.push((part, scratch.read(kept.start, kept.length as usize)?));
        }
        Ok(material)
    }

    fn made(self, block: &Block, spec: &RasterSpec, resampling: OverviewResampling) -> tiff_writer::Result<Made> {
        let bands = block.bands.len();
        let mut pixels = Samples::zeros(spec.dtype, (bands, self.height, self.width));
        for (part, bytes) in &self.blocks {
            unpack::unpack(bytes, part, spec, &mut pixels)?;
        }
        let valid = self.valid()?;
        let alone = Block { bands: 0..bands, top: 0, left: 0, ..block.clone() };
        let samples = with_array!(&pixels, data => {
            let valid = valid.as_ref().map(|valid| valid.view());
            let data = reduced(data.view(), valid, Gap::new(spec.nodata), resampling);
            pack(data.view(), &alone, spec.compression)?
        });
        let mask = match valid {
            Some(valid) => mask::packed(reduced_mask(valid.view(), resampling).view(), &alone)?,
            None => None,
        };
        Ok(Made { samples, mask })
    }

    /// Returns which pixels have data, if some do not.
    fn valid(&self) -> std::io::Result<Option<Array2<bool>>> {
        if self.masks.is_empty() {
            return Ok(None);
        }
        let mut valid = Array2::from_elem((self.height, self.width), true);
        self.masks.iter().try_for_each(|(part, bytes)| mask::unpack(bytes, part, &mut valid))?;
        Ok(Some(valid))
    }
}
