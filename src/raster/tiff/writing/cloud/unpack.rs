//! Decodes blocks that were written before.

use std::io::{self, Read};

use flate2::read::ZlibDecoder;
use tiff_core::ByteOrder;
use tiff_reader::filters;

use super::super::grid::Block;
use super::super::spec::{Compression, RasterSpec};
use super::super::tags;
use crate::raster::Samples;
use crate::raster::tiff::lzw::Lzw;

/// Copies the samples of a block into those of the surrounding pixels, at the block's position.
pub(super) fn unpack(bytes: &[u8], block: &Block, spec: &RasterSpec, to: &mut Samples) -> io::Result<()> {
    let sample = spec.dtype.bytes();
    let pixel = sample * block.bands.len();
    let (bands, height, width) = to.shape();
    let row_bytes = block.width * pixel;
    let seen = (width - block.left).min(block.width) * pixel;
    let predictor = tags::predictor(spec.compression, tags::format(spec.dtype).to_code()).to_code();
    let mut rows = decompressed(bytes, row_bytes * block.height, spec.compression)?;
    for (row, y) in rows.chunks_exact_mut(row_bytes).zip(block.top..height) {
        let (bits, count) = (8 * sample as u16, block.bands.len() as u16);
        filters::fix_endianness_and_predict(row, bits, count, ByteOrder::LittleEndian, predictor)
            .map_err(io::Error::other)?;
        to.put_pixels((y, block.left), 0..bands, &row[..seen]);
    }
    Ok(())
}

fn decompressed(bytes: &[u8], length: usize, compression: Compression) -> io::Result<Vec<u8>> {
    let mut plain = vec![0; length];
    match compression {
        Compression::None => io::Cursor::new(bytes).read_exact(&mut plain)?,
        Compression::Deflate => ZlibDecoder::new(bytes).read_exact(&mut plain)?,
        Compression::Lzw => Lzw::new(bytes)?.read_exact(&mut plain)?,
        Compression::Zstd => return zstd::bulk::decompress(bytes, length),
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::tiff::writing::pack::packed;
    use crate::raster::{Dtype, pixel::Sample, samples::with_type};
    use ndarray::Array3;

    #[test]
    fn every_type_and_compression_is_found_again() {
        use Dtype::{F32, F64, I8, I16, I32, I64, U8, U16, U32, U64};
        let block = Block { index: 0, bands: 0..3, top: 0, left: 0, height: 16, width: 32 };
        for dtype in [U8, I8, U16, I16, U32, I32, U64, I64, F32, F64] {
            let value = |(b, y, x): (usize, usize, usize)| (b * 40 + y * 7 + x) as f64 / 3.0;
            let samples: Samples =
                with_type!(dtype, T => Array3::from_shape_fn((3, 11, 30), |at| T::nearest(value(at))).into());
            for compression in [Compression::None, Compression::Deflate, Compression::Lzw, Compression::Zstd] {
                let bytes = packed(&samples, 0..11, std::slice::from_ref(&block), compression).unwrap();
                let spec = RasterSpec::new(3, 11, 30, dtype).compression(compression);
                let mut found = Samples::zeros(dtype, (3, 11, 30));
                unpack(&bytes[0], &block, &spec, &mut found).unwrap();
                assert_eq!(found, samples, "{compression:?}");
            }
        }
    }
}
