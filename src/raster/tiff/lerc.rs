//! LERC, alone or with additional deflate or ZSTD compression.

use std::io::{BufRead, Read};

use lerc_core::{DataType, PixelData};
use lerc_reader::DecodedBandSet;
use tiff_reader::Ifd;

use super::blocks::Size;
use super::fault::Fault;
use super::input::Input;
use super::layout::Layout;
use super::numbers;
use crate::raster::Dtype;

const PARAMETERS: u16 = 50674;

/// How the blocks of an image are encoded.
pub(super) struct Lerc {
    packing: Packing,
    data_type: DataType,
    /// Whether the last band is omitted if it is 0 or 255 throughout; the mask of the others determines which.
    is_alpha_in_mask: bool,
}

enum Packing {
    None,
    Deflate,
    Zstd,
}

impl Lerc {
    pub fn of(ifd: &Ifd, layout: &Layout) -> Result<Self, Fault> {
        let packing = match numbers::all(ifd, PARAMETERS)?.and_then(|values| values.get(1).copied()) {
            None | Some(0) => Packing::None,
            Some(1) => Packing::Deflate,
            Some(2) => Packing::Zstd,
            Some(other) => return Err(Fault::unsupported(format!("LERC packed in way {other}"))),
        };
        let data_type = match (layout.dtype(), layout.format.bits) {
            (Dtype::U8, 8) => DataType::U8,
            (Dtype::I8, 8) => DataType::I8,
            (Dtype::U16, 16) => DataType::U16,
            (Dtype::I16, 16) => DataType::I16,
            (Dtype::U32, 32) => DataType::U32,
            (Dtype::I32, 32) => DataType::I32,
            (Dtype::F32, 32) => DataType::F32,
            (Dtype::F64, 64) => DataType::F64,
            (_, bits) => return Err(Fault::format(format!("LERC of samples of {bits} bits"))),
        };
        let is_alpha_in_mask = data_type == DataType::U8
            && layout.block_bands > 1
            && numbers::first::<u64>(ifd, super::colors::EXTRA_SAMPLES)? == Some(2);
        Ok(Self { packing, data_type, is_alpha_in_mask })
    }

    /// Returns the samples of a block, in native byte order if the file uses it.
    pub fn decode(&self, input: Input<'_>, size: Size) -> Result<Vec<u8>, Fault> {
        let packed = self.unpacked(input, size)?;
        let (blobs, stored_bands) = self.checked(&packed, size)?;
        let set = lerc_reader::decode_band_set(blobs).map_err(failed)?;
        drop(packed);
        let mut block = self.interleaved(&set, stored_bands)?;
        if stored_bands < size.bands {
            block = with_alpha(&block, set.band_masks(), stored_bands);
        }
        Ok(block)
    }

    fn unpacked(&self, mut input: Input<'_>, size: Size) -> Result<Vec<u8>, Fault> {
        // A blob is never much larger than its samples; this limit stops a decompression bomb.
        let samples = size.columns.saturating_mul(size.most_rows).saturating_mul(size.bands);
        let most = samples.saturating_mul(5 * self.data_type.byte_len()).saturating_add(1024 * size.bands + 4096);
        let mut blob = Vec::new();
        let most = most as u64;
        match self.packing {
            Packing::None => input.take(most).read_to_end(&mut blob)?,
            Packing::Deflate => flate2::bufread::ZlibDecoder::new(&mut input).take(most).read_to_end(&mut blob)?,
            Packing::Zstd => zstd_of(&mut input)?.take(most).read_to_end(&mut blob)?,
        };
        Ok(blob)
    }

    /// Checks the headers before memory is allocated for samples: returns the blobs that make up the block, and their
    /// bands.
    fn checked<'a>(&self, packed: &'a [u8], size: Size) -> Result<(&'a [u8], usize), Fault> {
        let (mut end, mut bands) = (0, 0);
        while bands < size.bands && end < packed.len() {
            let info = lerc_reader::inspect_first(&packed[end..]).map_err(failed)?;
            let (columns, rows, depth) = (info.width as usize, info.height as usize, info.depth.max(1) as usize);
            let is_fitting = columns == size.columns && (size.rows..=size.most_rows).contains(&rows);
            if !is_fitting || info.data_type != self.data_type || bands + depth > size.bands {
                let what = info.data_type.name();
                return Err(Fault::format(format!(
                    "a block with a LERC of {columns} x {rows}, {depth} bands of {what}"
                )));
            }
            end = end.saturating_add(info.blob_size).min(packed.len());
            bands += depth;
            if bands + 1 == size.bands && self.is_alpha_in_mask && info.has_mask() {
                break;
            }
        }
        let is_complete = bands == size.bands || self.is_alpha_in_mask && bands + 1 == size.bands;
        match is_complete {
            true => Ok((&packed[..end], bands)),
            false => Err(Fault::format(format!("a block with a LERC of {bands} bands instead of {}", size.bands))),
        }
    }

    fn interleaved(&self, set: &DecodedBandSet, bands: usize) -> Result<Vec<u8>, Fault> {
        let per_blob = bands / set.bands().len().max(1);
        let pixels = set.info().first().pixel_count().map_err(failed)?;
        let bytes = self.data_type.byte_len();
        let mut block = vec![0; pixels * bands * bytes];
        for (index, blob) in set.bands().iter().enumerate() {
            let mask = set.band_masks().get(index).and_then(|mask| mask.as_deref());
            let mut put = |at: usize, sample: &[u8]| {
                let to = (at / per_blob * bands + index * per_blob + at % per_blob) * bytes;
                block[to..to + bytes].copy_from_slice(sample);
            };
            put_all(blob, mask, per_blob, &mut put);
        }
        Ok(block)
    }
}

/// Returns all samples. Masked ones are NaN in floats, as in libtiff, and 0 otherwise.
fn put_all(samples: &PixelData, mask: Option<&[u8]>, per_pixel: usize, put: &mut impl FnMut(usize, &[u8])) {
    let is_valid = |at: usize| mask.is_none_or(|mask| mask.get(at / per_pixel).is_some_and(|&valid| valid != 0));
    macro_rules! each {
        ($values:expr, $empty:expr) => {
            for (at, value) in $values.iter().enumerate() {
                let value = if is_valid(at) { *value } else { $empty };
                put(at, &value.to_ne_bytes());
            }
        };
    }
    match samples {
        PixelData::I8(values) => each!(values, 0),
        PixelData::U8(values) => each!(values, 0),
        PixelData::I16(values) => each!(values, 0),
        PixelData::U16(values) => each!(values, 0),
        PixelData::I32(values) => each!(values, 0),
        PixelData::U32(values) => each!(values, 0),
        PixelData::F32(values) => each!(values, f32::NAN),
        PixelData::F64(values) => each!(values, f64::NAN),
    }
}

/// Adds a last band of 255 where the mask includes the pixel.
fn with_alpha(block: &[u8], masks: &[Option<Vec<u8>>], bands: usize) -> Vec<u8> {
    let mask = masks.first().and_then(|mask| mask.as_deref());
    let alpha = |pixel: usize| match mask.map(|mask| mask.get(pixel).copied().unwrap_or(0)) {
        Some(0) => 0,
        _ => 255,
    };
    let pixels = block.chunks_exact(bands).enumerate();
    pixels.flat_map(|(index, pixel)| pixel.iter().copied().chain([alpha(index)])).collect()
}

fn zstd_of<R: BufRead>(input: R) -> std::io::Result<zstd::Decoder<'static, R>> {
    Ok(zstd::Decoder::with_buffer(input)?.single_frame())
}

fn failed(error: lerc_core::Error) -> Fault {
    Fault::format(format!("LERC that cannot be read: {error}"))
}
