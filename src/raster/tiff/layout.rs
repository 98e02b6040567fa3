//! How the samples of a TIFF are stored, and whether this crate can read that.

use tiff_reader::Ifd;

use super::fault::Fault;
use super::source::Stored;
use crate::raster::Dtype;

const JPEG: u16 = 7;
const YCBCR: u64 = 6;

/// What reading the samples needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub bands: usize,
    pub height: usize,
    pub width: usize,
    pub dtype: Dtype,
    /// Stored in half precision; `dtype` is `float32` then, as GDAL has it.
    pub is_half: bool,
    /// Rows that are decoded together.
    pub block_rows: usize,
    /// Columns that are decoded together.
    pub block_columns: usize,
    /// Bands that are decoded together.
    pub block_bands: usize,
}

impl Layout {
    pub fn of(ifd: &Ifd, stored: &Stored) -> Result<Self, Fault> {
        if let Some(name) = unread_compression(ifd.compression()) {
            return Err(Fault::unsupported(format!("compression {name}")));
        }
        if needs_colours(stored.photometric) && !(stored.photometric == YCBCR && ifd.compression() == JPEG) {
            return Err(Fault::unsupported(format!("colour model {}", colours(stored.photometric))));
        }
        let formats = ifd.sample_format()?;
        if let Some(name) = formats.first().and_then(|format| unread_format(*format)) {
            return Err(Fault::unsupported(format!("samples of {name}")));
        }
        Self::of_raster(ifd, stored.is_half)
    }

    fn of_raster(ifd: &Ifd, is_half: bool) -> Result<Self, Fault> {
        let raster = ifd.raster_layout()?;
        let dtype = match is_half {
            true => Dtype::F32,
            false => dtype(raster.sample_format, raster.bits_per_sample)?,
        };
        let (rows, columns) = match ifd.is_tiled() {
            true => (ifd.tile_height().unwrap_or(0) as usize, ifd.tile_width().unwrap_or(0) as usize),
            false => ((ifd.rows_per_strip() as usize).min(raster.height), raster.width),
        };
        if rows == 0 || columns == 0 {
            return Err(Fault::format(format!("blocks of {columns} x {rows} pixels")));
        }
        Ok(Self {
            bands: raster.samples_per_pixel,
            height: raster.height,
            width: raster.width,
            dtype,
            is_half,
            block_rows: rows,
            block_columns: columns,
            block_bands: if raster.planar_configuration == 1 { raster.samples_per_pixel } else { 1 },
        })
    }

    /// Bytes of a sample as the decoder gives it.
    pub fn stored_bytes(&self) -> usize {
        if self.is_half { 2 } else { self.dtype.bytes() }
    }

    /// Bytes of the blocks that hold one pixel, those of all bands.
    pub fn block_bytes(&self) -> Option<usize> {
        let sides = [self.block_columns, self.bands, self.stored_bytes()];
        sides.iter().try_fold(self.block_rows, |product, side| product.checked_mul(*side))
    }

    /// Rows to decode in one go: whole blocks, some megabytes of them.
    pub fn rows_at_once(&self, columns: usize) -> usize {
        const WANTED_BYTES: usize = 8 << 20;
        let row = (columns * self.bands * self.dtype.bytes()).max(1);
        (WANTED_BYTES / row / self.block_rows).max(1).saturating_mul(self.block_rows)
    }
}

/// Whether the stored samples are no bands yet.
pub(super) fn needs_colours(photometric: u64) -> bool {
    matches!(photometric, YCBCR | 8..=10 | 32844 | 32845)
}

fn colours(photometric: u64) -> &'static str {
    match photometric {
        YCBCR => "YCbCr without JPEG",
        8..=10 => "CIE L*a*b*",
        _ => "LogLuv",
    }
}

fn dtype(format: u16, bits: u16) -> Result<Dtype, Fault> {
    match (format, bits) {
        (1, 1..=8) => Ok(Dtype::U8),
        (1, 9..=16) => Ok(Dtype::U16),
        (1, 17..=32) => Ok(Dtype::U32),
        (1, 33..=64) => Ok(Dtype::U64),
        (2, 8) => Ok(Dtype::I8),
        (2, 16) => Ok(Dtype::I16),
        (2, 32) => Ok(Dtype::I32),
        (2, 64) => Ok(Dtype::I64),
        (3, 32) => Ok(Dtype::F32),
        (3, 64) => Ok(Dtype::F64),
        _ => Err(Fault::unsupported(format!("samples of {bits} bits in format {format}"))),
    }
}

fn unread_format(format: u16) -> Option<&'static str> {
    match format {
        5 => Some("complex integers"),
        6 => Some("complex numbers"),
        _ => None,
    }
}

fn unread_compression(code: u16) -> Option<String> {
    let name = match code {
        1..=5 | 7 | 8 | 32773 | 32946 | 34887 | 34925 | 50000 | 50001 => return None,
        6 => "old-style JPEG",
        34676 | 34677 => "LogLuv",
        34712 | 33003 | 33004 | 33005 => "JPEG 2000",
        34933 => "PNG",
        34892 | 52546 | 50002 => "JPEG XL",
        _ => "",
    };
    Some(if name.is_empty() { format!("number {code}") } else { name.to_string() })
}
