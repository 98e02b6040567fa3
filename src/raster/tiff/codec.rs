//! Compressions that the decoder does not know, or does not read as GDAL does.

use std::io::Read;

use lzma_rust2::XzReader;
use tiff_reader::{Ifd, constants};

use super::fault::Fault;
use super::fax::{self, Coding};
use crate::raster::ijg;

/// Memory for the dictionary of an LZMA stream, in KiB; libtiff writes 8 MiB at most.
const DICTIONARY_KIB: u32 = 128 << 10;
const FAX_OPTIONS: u16 = 292;
const YCBCR: u64 = 6;

pub(super) enum Codec {
    Fax(Coding),
    Jpeg { tables: Vec<u8>, is_ycbcr: bool },
    Lzma,
}

/// The size of a block: columns, rows, bands.
pub(super) type Size = (usize, usize, usize);

impl Codec {
    /// Nothing where the decoder reads the blocks itself.
    pub fn of(ifd: &Ifd, photometric: u64) -> Option<Self> {
        let number = |tag| ifd.tag(tag).and_then(|tag| tag.value.as_u64()).unwrap_or(0);
        match ifd.compression() {
            2 => Some(Self::Fax(Coding::Rle)),
            3 => Some(Self::Fax(Coding::Fax3 { two_dimensional: number(FAX_OPTIONS) & 1 == 1 })),
            4 => Some(Self::Fax(Coding::Fax4)),
            7 => {
                let tables = ifd.tag(constants::TAG_JPEG_TABLES).and_then(|tag| tag.value.as_bytes());
                let is_ycbcr = photometric == YCBCR && ifd.planar_configuration() == 1;
                Some(Self::Jpeg { tables: tables.unwrap_or_default().to_vec(), is_ycbcr })
            }
            34925 => Some(Self::Lzma),
            _ => None,
        }
    }

    /// Whether the tag of the order of bits counts.
    pub fn is_reversible(&self) -> bool {
        !matches!(self, Self::Jpeg { .. })
    }

    /// The bytes of a block, `wanted` of them, as an uncompressed file would have them.
    pub fn decode(&self, bytes: &[u8], size: Size, wanted: usize) -> Result<Vec<u8>, Fault> {
        let block = match self {
            Self::Fax(coding) => fax::decode(*coding, bytes, size.0, size.1)?,
            Self::Jpeg { tables, is_ycbcr } => jpeg(tables, *is_ycbcr, bytes, size)?,
            Self::Lzma => lzma(bytes, wanted)?,
        };
        match block.len() >= wanted {
            true => Ok(block),
            false => Err(Fault::format(format!("a block of {} bytes instead of {wanted}", block.len()))),
        }
    }
}

fn lzma(bytes: &[u8], wanted: usize) -> Result<Vec<u8>, Fault> {
    let mut block = Vec::new();
    let reader = XzReader::new_mem_limit(bytes, false, DICTIONARY_KIB);
    let read = reader.take(wanted as u64).read_to_end(&mut block);
    read.map_err(|e| Fault::format(format!("LZMA data that cannot be read: {e}")))?;
    Ok(block)
}

/// The last strip of some writers has more rows than the image.
fn jpeg(tables: &[u8], is_ycbcr: bool, bytes: &[u8], (columns, rows, bands): Size) -> Result<Vec<u8>, Fault> {
    let accept = |header: &ijg::Header| {
        let frame = header.frame()?;
        let found = (frame.width, frame.components.len());
        if found != (columns, bands) || frame.height < rows || frame.height > rows.saturating_mul(64).max(65_536) {
            let (width, count) = found;
            let found = format!("a block with a JPEG of {width} x {}, {count} components", frame.height);
            return Err(ijg::Fault::Format(found));
        }
        Ok(if is_ycbcr && bands == 3 { ijg::Colours::Ycbcr } else { ijg::Colours::Stored })
    };
    ijg::decode(tables, bytes, accept).map_err(|fault| match fault {
        ijg::Fault::Format(found) => Fault::format(found),
        ijg::Fault::Unsupported(found) => Fault::unsupported(found),
    })
}
