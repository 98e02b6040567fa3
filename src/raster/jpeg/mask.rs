//! The mask that GDAL appends to a JPEG: one bit per pixel, compressed, and the length of the picture.

use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;
use ndarray::Array3;
use tiff_reader::source::TiffSource;

use crate::error::{Error, ErrorKind, Result};
use crate::raster::budget::{Budget, Turn};
use crate::raster::byte_source::ByteSource;
use crate::raster::image_format::ReadSamples;
use crate::raster::{Limits, RasterInfo, Samples};

const END_OF_IMAGE: [u8; 2] = [0xff, 0xd9];
/// Number of bytes at the end of the file that contain the length.
const LENGTH: u64 = 4;

/// A mask in an open file.
struct Mask {
    source: ByteSource,
    height: usize,
    width: usize,
    limits: Limits,
    /// Its offset in the file, and its compressed length.
    start: u64,
    length: usize,
}

/// Finds the mask of a file, by GDAL's rules; most files have none.
pub(super) fn find(source: &ByteSource, info: &RasterInfo, limits: &Limits) -> Option<Box<dyn ReadSamples>> {
    let end = source.len().checked_sub(LENGTH)?;
    let start = u64::from(u32::from_le_bytes(source.read_exact_at(end, 4).ok()?.try_into().ok()?));
    if start < source.len() / 2 || start >= end || source.read_exact_at(start - 2, 2).ok()? != END_OF_IMAGE {
        return None;
    }
    let length = usize::try_from(end - start).ok()?;
    Some(Box::new(Mask {
        source: source.clone(),
        height: info.height,
        width: info.width,
        limits: *limits,
        start,
        length,
    }))
}

impl Mask {
    /// Reads all bits; the first pixel is the lowest bit of the first byte, and rows follow each other without padding.
    fn bits(&self) -> Result<Vec<u8>> {
        let broken = || damaged(self.source.path());
        let packed = self.source.read_exact_at(self.start, self.length).map_err(|e| broken().because(e))?;
        let mut bits = vec![0; (self.height * self.width).div_ceil(8)];
        ZlibDecoder::new(&*packed).read_exact(&mut bits).map_err(|e| broken().because(e))?;
        Ok(bits)
    }
}

impl ReadSamples for Mask {
    fn read(&self) -> Result<(Samples, Turn<'static>)> {
        self.read_window(0, 0, self.height, self.width)
    }

    fn read_window(&self, row: usize, column: usize, height: usize, width: usize) -> Result<(Samples, Turn<'static>)> {
        let needed = self.length + self.height * self.width / 8 + height * width;
        let turn = Budget::process().turn(needed as u64, self.limits.max_sample_bytes);
        let bits = self.bits()?;
        let value = |(_, y, x): (usize, usize, usize)| {
            let pixel = (row + y) * self.width + column + x;
            bits[pixel / 8] >> (pixel % 8) & 1
        };
        Ok((Array3::from_shape_fn((1, height, width), value).into(), turn))
    }
}

fn damaged(path: &Path) -> Error {
    Error::new(ErrorKind::Format, "the mask behind a JPEG is damaged")
        .at(path)
        .expected("a bit for each pixel, compressed by zlib")
        .help("Write the file again, or take what follows the picture off, and all pixels count.")
}
