//! How the samples of a TIFF are stored, and whether this crate can read them.

use tiff_reader::{ByteOrder, Ifd};

use super::fault::Fault;
use super::samples::Format;
use crate::raster::Dtype;

pub(super) const JPEG: u16 = 7;
pub(super) const LERC: u16 = 34887;
const YCBCR: u64 = 6;
const CHUNKY: u16 = 1;
const PLANAR: u16 = 2;
const HORIZONTAL: u16 = 2;
const FLOATING: u16 = 3;

/// Everything needed to read the samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub bands: usize,
    pub height: usize,
    pub width: usize,
    pub format: Format,
    /// Number of rows that are decoded together.
    pub block_rows: usize,
    /// Number of columns that are decoded together.
    pub block_columns: usize,
    /// Number of bands that are decoded together.
    pub block_bands: usize,
}

impl Layout {
    pub fn of(ifd: &Ifd, order: ByteOrder, photometric: u64) -> Result<Self, Fault> {
        if let Some(name) = unread_compression(ifd.compression()) {
            return Err(Fault::unsupported(format!("compression {name}")));
        }
        if needs_colors(photometric) && !(photometric == YCBCR && ifd.compression() == JPEG) {
            return Err(Fault::unsupported(format!("color model {}", colors(photometric))).help(TO_RGB));
        }
        let (height, width) = (ifd.height() as usize, ifd.width() as usize);
        let bands = usize::from(ifd.samples_per_pixel());
        if height == 0 || width == 0 || bands == 0 {
            return Err(Fault::format(format!("an image of {width} x {height} pixels and {bands} bands")));
        }
        let (block_rows, block_columns) = match ifd.is_tiled() {
            true => (ifd.tile_height().unwrap_or(0) as usize, ifd.tile_width().unwrap_or(0) as usize),
            false => ((ifd.rows_per_strip() as usize).min(height), width),
        };
        if block_rows == 0 || block_columns == 0 {
            return Err(Fault::format(format!("blocks of {block_columns} x {block_rows} pixels")));
        }
        let block_bands = match ifd.planar_configuration() {
            CHUNKY => bands,
            PLANAR => 1,
            other => return Err(Fault::format(format!("bands in planar configuration {other}"))),
        };
        let format = format(ifd, order, bands)?;
        Ok(Self { bands, height, width, format, block_rows, block_columns, block_bands })
    }

    pub fn size(&self) -> (usize, usize) {
        (self.height, self.width)
    }

    pub fn dtype(&self) -> Dtype {
        self.format.dtype
    }

    /// Returns the size of one decoded block in bytes, unless it overflows.
    pub fn block_bytes(&self) -> Option<usize> {
        let sides = [self.block_columns, self.block_bands, self.dtype().bytes()];
        sides.iter().try_fold(self.block_rows, |product, side| product.checked_mul(*side))
    }
}

fn format(ifd: &Ifd, order: ByteOrder, bands: usize) -> Result<Format, Fault> {
    let bits = one_for_all(&ifd.bits_per_sample()?, bands, "bits a sample")?;
    let kind = one_for_all(&ifd.sample_format()?, bands, "kinds of samples")?;
    let dtype = dtype(kind, bits)?;
    if ifd.compression() == LERC && order == ByteOrder::BigEndian && kind == 3 {
        // Must not be left to GDAL, which would return the values that it has corrupted.
        return Err(Fault::format("LERC of floating-point samples in a big-endian file").help(
            "GDAL loses some of these values when it writes such a file. Write the raster again from its source, \
             with -co ENDIANNESS=LITTLE.",
        ));
    }
    let predictor = if has_predictor(ifd.compression()) { ifd.predictor() } else { 1 };
    let is_known = match predictor {
        1 => true,
        HORIZONTAL => matches!(bits, 8 | 16 | 32 | 64),
        FLOATING => kind == 3,
        _ => false,
    };
    if !is_known {
        return Err(Fault::unsupported(format!("predictor {predictor} for samples of {bits} bits")));
    }
    Ok(Format { dtype, bits: usize::from(bits), predictor, order })
}

/// libtiff ignores the tag everywhere else.
fn has_predictor(compression: u16) -> bool {
    matches!(compression, 5 | 8 | 32946 | 34925 | 50000)
}

/// Returns the value common to all bands; a single value may apply to all.
fn one_for_all(values: &[u16], bands: usize, what: &str) -> Result<u16, Fault> {
    let Some((&first, others)) = values.split_first() else {
        return Err(Fault::format(format!("no {what}")));
    };
    if !others.is_empty() && values.len() != bands {
        return Err(Fault::format(format!("{what} of {} bands in an image of {bands}", values.len())));
    }
    match others.iter().all(|&other| other == first) {
        true => Ok(first),
        false => Err(Fault::unsupported(format!("bands with different {what}: {values:?}"))),
    }
}

/// Returns whether the stored samples still need conversion to bands.
pub(super) fn needs_colors(photometric: u64) -> bool {
    matches!(photometric, YCBCR | 8..=10 | 32844 | 32845)
}

const TO_RGB: &str = "Convert it: gdal_translate -co COMPRESS=DEFLATE -co PHOTOMETRIC=RGB in.tif out.tif.";

fn colors(photometric: u64) -> &'static str {
    match photometric {
        YCBCR => "YCbCr without JPEG",
        8..=10 => "CIE L*a*b*",
        _ => "LogLuv",
    }
}

/// Returns GDAL's type for samples of this format and number of bits; 4 is "undefined", which GDAL treats as unsigned.
fn dtype(format: u16, bits: u16) -> Result<Dtype, Fault> {
    match (format, bits) {
        (1 | 4, 1..=8) => Ok(Dtype::U8),
        (1 | 4, 9..=16) => Ok(Dtype::U16),
        (1 | 4, 17..=32) => Ok(Dtype::U32),
        (1 | 4, 64) => Ok(Dtype::U64),
        (2, 8) => Ok(Dtype::I8),
        (2, 16) => Ok(Dtype::I16),
        (2, 32) => Ok(Dtype::I32),
        (2, 64) => Ok(Dtype::I64),
        (3, 16 | 32) => Ok(Dtype::F32),
        (3, 64) => Ok(Dtype::F64),
        (5 | 6, _) => Err(Fault::unsupported("samples of complex numbers").help(
            "Take their amplitude, gdal_translate DERIVED_SUBDATASET:AMPLITUDE:in.tif out.tif, or their real part, \
             gdal_translate -ot Float32 in.tif out.tif.",
        )),
        (3, 24) => Err(Fault::unsupported("floating-point samples of 24 bits")
            .help("Convert it: gdal_translate -co COMPRESS=DEFLATE -co NBITS=32 in.tif out.tif.")),
        _ => Err(Fault::unsupported(format!("samples of {bits} bits in format {format}"))),
    }
}

fn unread_compression(code: u16) -> Option<String> {
    let name = match code {
        1 | 5 | JPEG | 8 | 32773 | 32946 | LERC | 34925 | 50000 | 50001 => return None,
        2 => "CCITT RLE",
        3 => "CCITT fax 3",
        4 => "CCITT fax 4",
        6 => "old-style JPEG",
        34676 | 34677 => "LogLuv",
        34712 | 33003 | 33004 | 33005 => "JPEG 2000",
        34933 => "PNG",
        34892 | 52546 | 50002 => "JPEG XL",
        _ => "",
    };
    Some(if name.is_empty() { format!("number {code}") } else { name.to_string() })
}
