//! PNG with its samples as they are stored: indices stay indices, 16 bits stay 16 bits, alpha stays.

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Seek};
use std::path::Path;

use png::{BitDepth, ColorType, Decoder, DecodingError, Info, Reader, Transformations};

use super::{Dtype, Limits, RasterInfo, Samples};
use crate::error::{Error, ErrorKind, Result};

/// Room for the decoder's own tables.
const DECODER_BYTES: usize = 64 << 20;

/// Facts from a header, of which no more is read than it takes.
pub(super) fn info(path: &Path) -> Result<RasterInfo> {
    let file = File::open(path).map_err(|e| Error::io("file cannot be opened", path, e))?;
    Ok(described(&open(path, BufReader::new(file))?))
}

pub(super) fn read(path: &Path, bytes: &[u8], limits: &Limits) -> Result<Samples> {
    let mut reader = open(path, Cursor::new(bytes))?;
    let info = described(&reader);
    info.check_window(path, limits, (0, 0, info.height, info.width))?;
    let size = reader.output_buffer_size().ok_or_else(|| broken(path).found("a size beyond memory"))?;
    let mut buffer = vec![0; size];
    reader.next_frame(&mut buffer).map_err(|e| failed(path, e))?;
    reader.finish().map_err(|e| failed(path, e))?;
    let row_bytes = size / info.height;
    let bits = reader.info().bit_depth as usize;
    let mut samples = Samples::zeros(info.dtype, (info.bands, info.height, info.width));
    for (row, line) in buffer.chunks_exact(row_bytes).enumerate() {
        samples.put_rows(row, &unpacked(line, bits, info.width * info.bands));
    }
    Ok(samples)
}

/// Whether the samples are of 16 bits; the depth stands behind the signature, the header's mark and both sides.
pub(super) fn is_wide(bytes: &[u8]) -> bool {
    bytes.get(24) == Some(&16)
}

fn open<R: BufRead + Seek>(path: &Path, bytes: R) -> Result<Reader<R>> {
    let mut decoder = Decoder::new_with_limits(bytes, png::Limits { bytes: DECODER_BYTES });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.read_info().map_err(|e| failed(path, e))
}

fn described<R: BufRead + Seek>(reader: &Reader<R>) -> RasterInfo {
    let header = reader.info();
    let dtype = if header.bit_depth == BitDepth::Sixteen { Dtype::U16 } else { Dtype::U8 };
    let shape = (header.color_type.samples(), header.height as usize, header.width as usize);
    let has_palette = header.color_type == ColorType::Indexed;
    let colours = header.palette.as_ref().filter(|_| has_palette).map(|bytes| bytes.as_chunks::<3>().0.to_vec());
    let has_alpha = matches!(header.color_type, ColorType::GrayscaleAlpha | ColorType::Rgba);
    RasterInfo {
        nodata: key(header).map(f64::from),
        has_palette,
        palette: colours,
        alpha_band: has_alpha.then(|| shape.0 - 1),
        ..RasterInfo::plain("PNG", shape, dtype)
    }
}

/// The value without data of an image as it is decoded for training, where grey of fewer bits is spread to 8.
pub(super) fn key_of_chip(path: &Path, bytes: &[u8]) -> Result<Option<f64>> {
    let reader = open(path, Cursor::new(bytes))?;
    let header = reader.info();
    let spread = match header.bit_depth as u32 {
        bits @ ..8 => 255 / ((1 << bits) - 1),
        _ => 1,
    };
    Ok(key(header).map(|value| f64::from(value) * f64::from(spread)))
}

/// The one value of all bands that stands for transparent pixels. GDAL's nodata value may differ from band to band, ours
/// may not: such keys are passed over, like opacity.
fn key(header: &Info<'_>) -> Option<u16> {
    let has_key = matches!(header.color_type, ColorType::Grayscale | ColorType::Rgb);
    let bytes = header.trns.as_ref().filter(|_| has_key)?;
    // The decoder keeps one byte of each value where samples have no more.
    let values: Vec<u16> = match header.bit_depth {
        BitDepth::Sixteen => bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_be_bytes(*pair)).collect(),
        _ => bytes.iter().map(|byte| u16::from(*byte)).collect(),
    };
    let first = *values.first()?;
    values.iter().all(|value| *value == first).then_some(first)
}

/// One line as whole bytes in the machine's order; PNG packs the leftmost sample highest and is big-endian.
pub(super) fn unpacked(line: &[u8], bits: usize, samples: usize) -> Vec<u8> {
    match bits {
        8 => line.to_vec(),
        16 => line.as_chunks::<2>().0.iter().flat_map(|pair| u16::from_be_bytes(*pair).to_ne_bytes()).collect(),
        _ => {
            let mask = (1u8 << bits) - 1;
            let sample = |at: usize| line[at * bits / 8] >> (8 - bits - at * bits % 8) & mask;
            (0..samples).map(sample).collect()
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_samples_are_taken_apart() {
        assert_eq!(unpacked(&[0b1010_0000], 1, 3), [1, 0, 1]);
        assert_eq!(unpacked(&[0b0001_1011, 0b1100_0000], 2, 5), [0, 1, 2, 3, 3]);
        assert_eq!(unpacked(&[0x1f, 0x20], 4, 3), [1, 15, 2]);
        assert_eq!(unpacked(&[1, 2], 16, 1), 258u16.to_ne_bytes());
    }
}
