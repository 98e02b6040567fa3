//! Decodes a stream to pixels with `zune-jpeg`.

use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::colors::Colors;
use super::fault::{Fault, Result};
use super::stream::{MAX_SCANS, Stream};

/// The largest side that a frame header can express.
const MAX_SIDE: usize = u16::MAX as usize;

/// Decodes a whole stream to pixel-interleaved samples.
///
/// `tables` is an abbreviated stream with tables for this one (TIFF), or empty. `accept` is called with the size before
/// anything is allocated for it, and returns the meaning of the colors.
pub(in super::super) fn decode(
    tables: &[u8],
    bytes: &[u8],
    accept: impl FnOnce(&Stream) -> Result<Colors>,
) -> Result<Vec<u8>> {
    let stream = Stream::new(tables, bytes)?;
    let colors = accept(&stream)?;
    let components = stream.frame.components.len();
    if components == 2 {
        return Err(Fault::Unsupported("JPEG with 2 components".into()));
    }
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(MAX_SIDE)
        .set_max_height(MAX_SIDE)
        .jpeg_set_max_scans(MAX_SCANS);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&stream.bytes), options);
    let failed = |error: DecodeErrors| Fault::Format(error.to_string());
    decoder.decode_headers().map_err(failed)?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
    let wanted = if colors == Colors::Ycbcr { ColorSpace::RGB } else { stored };
    decoder.set_options(options.jpeg_set_out_colorspace(wanted));
    let mut pixels = vec![0; stream.frame.width * stream.frame.height * components];
    decoder.decode_into(&mut pixels).map_err(failed)?;
    Ok(match colors {
        Colors::Cmyk | Colors::Ycck => colors.mix_inks(&pixels),
        Colors::Stored | Colors::Ycbcr => pixels,
    })
}
