//! Reads PNG with its samples as stored: indices stay indices, 16 bits stay 16 bits, alpha stays.

use std::io::{BufRead, Cursor, Seek};
use std::path::Path;

use image::metadata::Orientation;
use png::{BitDepth, ColorType, Decoder, DecodingError, Info, Reader, Transformations};

use super::byte_source::Reader as Bytes;
use super::packed::unpacked;
use super::planar::planar;
use super::presentation::Presentation;
use super::whole_file::{WholeFile, changed};
use super::{Dtype, RasterInfo, Samples, ValiditySource};
use crate::error::{Error, ErrorKind, Result};

/// Room for the decoder's own tables.
const DECODER_BYTES: usize = 64 << 20;
/// Indices have 8 bits at most.
const MAX_COLORS: usize = 256;

/// The format.
pub(super) struct Png;

impl WholeFile for Png {
    fn is_begun_by(opening: &[u8]) -> bool {
        opening.starts_with(b"\x89PNG\r\n\x1a\n")
    }

    fn header(path: &Path, reader: Bytes<'_>) -> Result<(RasterInfo, Presentation)> {
        let reader = open(path, reader)?;
        let header = reader.info();
        let stated = header.exif_metadata.as_ref().and_then(|exif| Orientation::from_exif_chunk(exif));
        let presentation = Presentation {
            orientation: stated.unwrap_or(Orientation::NoTransforms),
            bits: header.bit_depth as usize,
            transparent: header.trns.as_ref().map(|bytes| bytes.to_vec()),
            ..Presentation::default()
        };
        Ok((described(path, &reader)?, presentation))
    }

    fn decode(path: &Path, bytes: &[u8], info: &RasterInfo) -> Result<Samples> {
        let mut reader = open(path, Cursor::new(bytes))?;
        let found = described(path, &reader)?;
        let shape = |info: &RasterInfo| (info.bands, info.height, info.width, info.dtype);
        if shape(&found) != shape(info) {
            return Err(changed(path));
        }
        let size = reader.output_buffer_size().ok_or_else(|| broken(path).found("a size beyond memory"))?;
        let mut buffer = vec![0; size];
        reader.next_frame(&mut buffer).map_err(|e| failed(path, e))?;
        reader.finish().map_err(|e| failed(path, e))?;
        Ok(samples(&buffer, reader.info().bit_depth as usize, info))
    }
}

fn samples(buffer: &[u8], bits: usize, info: &RasterInfo) -> Samples {
    if bits == 8 {
        return Samples::U8(planar(buffer, info.bands, info.bands, info.height, info.width));
    }
    let mut samples = Samples::zeros(info.dtype, (info.bands, info.height, info.width));
    for (row, line) in buffer.chunks_exact(buffer.len() / info.height).enumerate() {
        samples.put_rows(row, &unpacked(line, bits, info.width * info.bands));
    }
    samples
}

fn open<R: BufRead + Seek>(path: &Path, bytes: R) -> Result<Reader<R>> {
    let mut decoder = Decoder::new_with_limits(bytes, png::Limits { bytes: DECODER_BYTES });
    // Nothing is expanded, because that code panics if a palette's length is not a multiple of three.
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.read_info().map_err(|e| failed(path, e))
}

fn described<R: BufRead + Seek>(path: &Path, reader: &Reader<R>) -> Result<RasterInfo> {
    let header = reader.info();
    let dtype = if header.bit_depth == BitDepth::Sixteen { Dtype::U16 } else { Dtype::U8 };
    let shape = (header.color_type.samples(), header.height as usize, header.width as usize);
    let has_palette = header.color_type == ColorType::Indexed;
    let palette = if has_palette { Some(colors(path, header.palette.as_deref().unwrap_or_default())?) } else { None };
    let has_alpha = matches!(header.color_type, ColorType::GrayscaleAlpha | ColorType::Rgba);
    let alpha_band = has_alpha.then(|| shape.0 - 1);
    let nodata = key(header).map(f64::from);
    let mask = hides_colors(header).then_some(ValiditySource::TransparentColors);
    Ok(RasterInfo { nodata, mask, has_palette, palette, alpha_band, ..RasterInfo::plain("PNG", shape, dtype) })
}

/// Keeps whole colors only, like libpng.
fn colors(path: &Path, bytes: &[u8]) -> Result<Vec<[u8; 3]>> {
    match bytes.as_chunks::<3>() {
        (colors @ [_, ..], []) if colors.len() <= MAX_COLORS => Ok(colors.to_vec()),
        _ => Err(broken(path)
            .expected(format!("a palette (PLTE) of 1 to {MAX_COLORS} colors of 3 bytes"))
            .found(format!("{} bytes", bytes.len()))),
    }
}

/// Returns whether some colors are transparent in a way that a nodata value cannot express: palette indices, or a color
/// whose bands differ or whose samples have 16 bits, which would each be checked separately.
fn hides_colors(header: &Info<'_>) -> bool {
    let Some(bytes) = &header.trns else { return false };
    match header.color_type {
        ColorType::Indexed => bytes.contains(&0),
        ColorType::Rgb => key(header).is_none() || header.bit_depth == BitDepth::Sixteen,
        _ => false,
    }
}

/// Returns the value shared by all bands of transparent pixels; a nodata value cannot differ between bands.
fn key(header: &Info<'_>) -> Option<u16> {
    let has_key = matches!(header.color_type, ColorType::Grayscale | ColorType::Rgb);
    let bytes = header.trns.as_ref().filter(|_| has_key)?;
    // The decoder keeps one byte of each value if samples have at most 8 bits.
    let values: Vec<u16> = match header.bit_depth {
        BitDepth::Sixteen => bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect(),
        _ => bytes.iter().map(|byte| u16::from(*byte)).collect(),
    };
    let first = *values.first()?;
    values.iter().all(|value| *value == first).then_some(first)
}

fn broken(path: &Path) -> Error {
    Error::new(ErrorKind::Format, "PNG file is truncated or damaged").at(path)
}

fn failed(path: &Path, source: DecodingError) -> Error {
    match source {
        DecodingError::LimitsExceeded => {
            Error::new(ErrorKind::Limits, "PNG file asks for too much memory").at(path).because(source)
        }
        other => broken(path).because(other),
    }
}
