//! Decompresses the stored bytes of a block.

use std::io::{Cursor, Read};

use image_webp::WebPDecoder;
use lzma_rust2::XzReader;
use tiff_reader::{Ifd, constants};

use super::blocks::Size;
use super::fault::Fault;
use super::input::Input;
use super::layout::{JPEG, LERC, Layout};
use super::lerc::Lerc;
use super::lzw::Lzw;
use super::packbits::PackBits;
use crate::raster::jpeg;

/// Memory for the dictionary of an LZMA stream, in KiB; libtiff writes at most 8 MiB.
const DICTIONARY_KIB: u32 = 128 << 10;
/// The same for ZSTD, as a power of two.
const WINDOW_LOG: u32 = 27;
const YCBCR: u64 = 6;

pub(super) enum Codec {
    Plain,
    Lzw,
    Deflate,
    PackBits,
    Zstd,
    Lzma,
    Jpeg { tables: Vec<u8>, is_ycbcr: bool },
    Lerc(Lerc),
    Webp,
}

impl Codec {
    pub fn of(ifd: &Ifd, layout: &Layout, photometric: u64) -> Result<Self, Fault> {
        let codec = match ifd.compression() {
            5 => Self::Lzw,
            JPEG => {
                let tables = ifd.tag(constants::TAG_JPEG_TABLES).and_then(|tag| tag.value.as_bytes());
                let is_ycbcr = photometric == YCBCR && layout.block_bands > 1;
                Self::Jpeg { tables: tables.unwrap_or_default().to_vec(), is_ycbcr }
            }
            8 | 32946 => Self::Deflate,
            32773 => Self::PackBits,
            LERC => Self::Lerc(Lerc::of(ifd, layout)?),
            34925 => Self::Lzma,
            50000 => Self::Zstd,
            50001 => Self::Webp,
            _ => Self::Plain,
        };
        let bits = layout.format.bits;
        match codec {
            Self::Jpeg { .. } if bits != 8 => {
                Err(Fault::unsupported(format!("JPEG with {bits} bits a sample")).help(JPEG_OF_12_BITS))
            }
            Self::Webp if bits != 8 || !matches!(layout.block_bands, 3 | 4) => {
                Err(Fault::format(format!("WebP of {} bands of {bits} bits", layout.block_bands)))
            }
            codec => Ok(codec),
        }
    }

    /// Returns whether the tag for the bit order applies.
    pub fn is_reversible(&self) -> bool {
        !matches!(self, Self::Jpeg { .. })
    }

    /// Returns whether a block is decoded as it is read, in little memory.
    pub fn is_stream(&self) -> bool {
        !matches!(self, Self::Jpeg { .. } | Self::Lerc(_) | Self::Webp)
    }

    /// Returns whether damage may be detected only after the last sample, by a checksum.
    pub fn has_end(&self) -> bool {
        matches!(self, Self::Deflate | Self::Zstd | Self::Lzma)
    }

    /// Returns a reader for the bytes of a block, row after row; there may be extra bytes.
    pub fn open<'a>(&self, input: Input<'a>, size: Size) -> Result<Box<dyn Read + 'a>, Fault> {
        Ok(match self {
            Self::Plain => Box::new(input),
            Self::Lzw => Box::new(Lzw::new(input)?),
            Self::Deflate => Box::new(flate2::bufread::ZlibDecoder::new(input)),
            Self::PackBits => Box::new(PackBits::new(input)),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(input)?.single_frame();
                decoder.window_log_max(WINDOW_LOG)?;
                Box::new(decoder)
            }
            Self::Lzma => Box::new(XzReader::new_mem_limit(input, false, DICTIONARY_KIB)),
            Self::Jpeg { tables, is_ycbcr } => Box::new(Cursor::new(jpeg(tables, *is_ycbcr, &input.whole()?, size)?)),
            Self::Lerc(lerc) => Box::new(Cursor::new(lerc.decode(input, size)?)),
            Self::Webp => Box::new(Cursor::new(webp(&input.whole()?, size)?)),
        })
    }
}

const JPEG_OF_12_BITS: &str = "Few builds of GDAL read it. Python does, without the georeference: pip install tifffile \
     imagecodecs, then python -c \"import tifffile as t; t.imwrite('out.tif', t.imread('in.tif'))\".";

/// The last strip of some writers has more rows than the image.
fn jpeg(tables: &[u8], is_ycbcr: bool, bytes: &[u8], size: Size) -> Result<Vec<u8>, Fault> {
    let Size { columns, rows, bands, .. } = size;
    let accept = |stream: &jpeg::Stream| {
        let frame = &stream.frame;
        let found = (frame.width, frame.components.len());
        if found != (columns, bands) || frame.height < rows || frame.height > rows.saturating_mul(64).max(65_536) {
            let (width, count) = found;
            let found = format!("a block with a JPEG of {width} x {}, {count} components", frame.height);
            return Err(jpeg::Fault::Format(found));
        }
        Ok(if is_ycbcr && bands == 3 { jpeg::Colors::Ycbcr } else { jpeg::Colors::Stored })
    };
    jpeg::decode(tables, bytes, accept).map_err(|fault| match fault {
        jpeg::Fault::Format(found) => Fault::format(found),
        jpeg::Fault::Unsupported(found) => Fault::unsupported(found),
    })
}

/// An opaque alpha is not stored.
fn webp(bytes: &[u8], size: Size) -> Result<Vec<u8>, Fault> {
    let failed = |e| Fault::format(format!("WebP that cannot be read: {e}"));
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let bands = if decoder.has_alpha() { 4 } else { 3 };
    let is_fitting = width as usize == size.columns && (size.rows..=size.most_rows).contains(&(height as usize));
    if !is_fitting || bands > size.bands || decoder.is_animated() {
        return Err(Fault::format(format!("a block with a WebP of {width} x {height}, {bands} bands")));
    }
    let mut block = vec![0; width as usize * height as usize * bands];
    decoder.read_image(&mut block).map_err(failed)?;
    Ok(match bands == size.bands {
        true => block,
        false => block.as_chunks::<3>().0.iter().flat_map(|[red, green, blue]| [*red, *green, *blue, 255]).collect(),
    })
}
