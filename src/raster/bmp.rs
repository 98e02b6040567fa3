//! BMP as GDAL has it: indices of a palette stay indices.

use std::io::Cursor;
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::{ImageDecoder, ImageFormat};

use super::{Dtype, Limits, RasterInfo, Samples, read};
use crate::error::Result;

type Decoder<'a> = BmpDecoder<Cursor<&'a [u8]>>;

/// What the first bytes of a file say.
pub(super) fn info(path: &Path, opening: &[u8], limits: &Limits) -> Result<RasterInfo> {
    let (bands, height, width) = read::shape(path, opening, ImageFormat::Bmp, limits)?;
    let palette = indexed(opening).and_then(|decoder| decoder.get_palette().map(|all| used(all, opening).to_vec()));
    let shape = (if palette.is_some() { 1 } else { bands }, height, width);
    Ok(RasterInfo { has_palette: palette.is_some(), palette, ..RasterInfo::plain("BMP", shape, Dtype::U8) })
}

pub(super) fn read(path: &Path, bytes: &[u8], info: &RasterInfo, limits: &Limits) -> Result<Samples> {
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

/// The decoder fills a palette up to 256 colours; the header says how many there are, or 0 for all.
fn used<'a>(colours: &'a [[u8; 3]], header: &[u8]) -> &'a [[u8; 3]] {
    let count = header.get(46..50).and_then(|bytes| bytes.first_chunk::<4>()).map(|bytes| u32::from_le_bytes(*bytes));
    colours.get(..count.filter(|count| *count > 0).unwrap_or(u32::MAX) as usize).unwrap_or(colours)
}

/// A decoder of indices, where there is a palette.
fn indexed(bytes: &[u8]) -> Option<Decoder<'_>> {
    let mut decoder = BmpDecoder::new(Cursor::new(bytes)).ok()?;
    decoder.get_palette()?;
    decoder.set_indexed_color(true);
    (decoder.color_type().channel_count() == 1).then_some(decoder)
}
