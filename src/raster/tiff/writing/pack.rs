//! Compresses blocks.

use std::iter::repeat;
use std::ops::Range;

use ndarray::{ArrayView3, Axis, Slice, s};
use rayon::prelude::*;
use tiff_core::{ByteOrder, Compression as Code};
use tiff_writer::TiffWriteSample;
use tiff_writer::compress::{BlockEncodingOptions, compress_block};

use super::grid::Block;
use super::spec::Compression;
use super::tags;
use crate::raster::Samples;
use crate::raster::samples::with_array;

/// Smaller and faster than the default level of deflate.
const ZSTD_LEVEL: i32 = 3;

/// Returns the bytes of the blocks of these rows, compressed in parallel.
pub(super) fn packed(
    samples: &Samples,
    rows: Range<usize>,
    blocks: &[Block],
    compression: Compression,
) -> tiff_writer::Result<Vec<Vec<u8>>> {
    with_array!(samples, data => {
        let data = data.slice_axis(Axis(1), Slice::from(rows));
        blocks.par_iter().map(|block| pack(data, block, compression)).collect()
    })
}

/// Compresses one block of the buffered rows.
pub(super) fn pack<T: TiffWriteSample + Default>(
    rows: ArrayView3<'_, T>,
    block: &Block,
    compression: Compression,
) -> tiff_writer::Result<Vec<u8>> {
    let options = BlockEncodingOptions {
        byte_order: ByteOrder::LittleEndian,
        // The library's own implementation is slower than deflate and produces larger output.
        compression: if compression == Compression::Zstd { Code::None } else { tags::code(compression) },
        predictor: tags::predictor(compression, T::SAMPLE_FORMAT),
        samples_per_pixel: block.bands.len() as u16,
        row_width_pixels: block.width,
        jpeg_options: None,
        jpeg_sampling: None,
        deflate_level: None,
    };
    let bytes = compress_block(&gather(rows, block), options, block.index)?;
    match compression {
        Compression::Zstd => Ok(zstd::bulk::compress(&bytes, ZSTD_LEVEL)?),
        _ => Ok(bytes),
    }
}

/// Returns the samples of a block, pixel by pixel. Beyond the edge the last ones are repeated, which compresses well.
fn gather<T: Copy + Default>(rows: ArrayView3<'_, T>, block: &Block) -> Vec<T> {
    let (_, height, width) = rows.dim();
    let (bands, left) = (block.bands.len(), block.left);
    let right = (left + block.width).min(width);
    let mut samples = vec![T::default(); block.height * block.width * bands];
    for (line, y) in samples.chunks_exact_mut(block.width * bands).zip(block.top..) {
        for (at, band) in block.bands.clone().enumerate() {
            let row = rows.slice(s![band, y.min(height - 1), left..right]);
            let last = row.last().copied().unwrap_or_default();
            let to = line.iter_mut().skip(at).step_by(bands);
            to.zip(row.iter().copied().chain(repeat(last))).for_each(|(to, from)| *to = from);
        }
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn edges_are_repeated() {
        let rows = Array3::from_shape_fn((2, 2, 3), |(b, y, x)| (100 * b + 10 * y + x) as u8);
        let block = Block { index: 0, bands: 0..2, top: 1, left: 2, height: 2, width: 2 };
        assert_eq!(gather(rows.view(), &block), [12, 112, 12, 112, 12, 112, 12, 112]);
        let block = Block { index: 0, bands: 1..2, top: 0, left: 0, height: 1, width: 3 };
        assert_eq!(gather(rows.view(), &block), [100, 101, 102]);
    }
}
