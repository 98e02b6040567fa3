//! BMP as GDAL has it: indices of a palette stay indices.

use std::io::Cursor;
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::{ImageDecoder, ImageFormat};

use super::{Dtype, Limits, RasterInfo, Samples, png, read};
use crate::error::{Error, ErrorKind, Result};

type Decoder<'a> = BmpDecoder<Cursor<&'a [u8]>>;

/// What the first bytes of a file say.
pub(super) fn info(path: &Path, opening: &[u8], limits: &Limits) -> Result<RasterInfo> {
    let (bands, height, width) = read::shape(path, opening, ImageFormat::Bmp, limits)?;
    let palette = indexed(opening).and_then(|decoder| decoder.get_palette().map(|all| used(all, opening).to_vec()));
    let shape = (if palette.is_some() { 1 } else { bands }, height, width);
    Ok(RasterInfo { has_palette: palette.is_some(), palette, ..RasterInfo::plain("BMP", shape, Dtype::U8) })
}

pub(super) fn read(path: &Path, bytes: &[u8], info: &RasterInfo, limits: &Limits) -> Result<Samples> {
    if let Some(bits @ (1 | 2 | 4)) = number(bytes, 28, 2).filter(|_| info.has_palette) {
        return packed(bytes, bits as usize, info).ok_or_else(|| broken(path));
    }
    let picture = match indexed(bytes).filter(|_| info.has_palette) {
        Some(decoder) => {
            image::DynamicImage::from_decoder(decoder).map_err(|e| read::failed(path, ImageFormat::Bmp, e))?
        }
        None => read::decode(path, bytes, ImageFormat::Bmp, limits)?,
    };
    let count = usize::from(picture.color().channel_count());
    let (height, width) = (picture.height() as usize, picture.width() as usize);
    Ok(Samples::U8(read::planar(picture.as_bytes(), count, count, height, width)))
}

/// Indices of less than 8 bits, which the decoder cannot give: lines of whole words, the lowest line first.
fn packed(bytes: &[u8], bits: usize, info: &RasterInfo) -> Option<Samples> {
    let start = usize::try_from(number(bytes, 10, 4)?).ok()?;
    let is_compressed = number(bytes, 30, 4)? != 0;
    let is_downwards = number(bytes, 22, 4)? > u32::MAX >> 1;
    let stride = (info.width * bits).div_ceil(32) * 4;
    let lines = bytes.get(start..start.checked_add(stride * info.height)?)?;
    let mut samples = Samples::zeros(Dtype::U8, (1, info.height, info.width));
    for (index, line) in lines.chunks_exact(stride).enumerate() {
        let row = if is_downwards { index } else { info.height - 1 - index };
        samples.put_rows(row, &png::unpacked(line, bits, info.width));
    }
    (!is_compressed).then_some(samples)
}

/// A number of the header, its lowest byte first.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u32> {
    let field = bytes.get(at..at + size)?;
    Some(field.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

fn broken(path: &Path) -> Error {
    Error::new(ErrorKind::Format, "BMP file is truncated or damaged, or its indices are compressed").at(path)
}

/// The decoder fills a palette up to 256 colours; the header says how many there are, or 0 for all.
fn used<'a>(colours: &'a [[u8; 3]], header: &[u8]) -> &'a [[u8; 3]] {
    let count = number(header, 46, 4);
    colours.get(..count.filter(|count| *count > 0).unwrap_or(u32::MAX) as usize).unwrap_or(colours)
}

/// A decoder of indices, where there is a palette.
fn indexed(bytes: &[u8]) -> Option<Decoder<'_>> {
    let mut decoder = BmpDecoder::new(Cursor::new(bytes)).ok()?;
    decoder.get_palette()?;
    decoder.set_indexed_color(true);
    (decoder.color_type().channel_count() == 1).then_some(decoder)
}
