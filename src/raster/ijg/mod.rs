//! JPEG to the very bits of the decoder in rasterio's wheels: IJG libjpeg 9.
//!
//! It enlarges subsampled colours within the inverse DCT (16 points instead of 8), where libjpeg-turbo and the
//! decoders written after it blend neighbouring samples; so the same file has other values there.

mod bits;
mod colour;
mod header;
mod huffman;
mod idct;
mod output;
mod progressive;
mod scan;

pub(super) use colour::Colours;
pub(super) use header::{Frame, Header, Opened};

use self::header::Step;

/// Scans that change the same blocks again and again cost time, not bytes; encoders write some ten.
const MAX_SCANS: usize = 100;

/// What is wrong with a stream.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is truncated or damaged.
    Format(String),
    /// This decoder does not know the feature.
    Unsupported(String),
}

type Result<T> = std::result::Result<T, Fault>;

fn damaged<T>(found: impl Into<String>) -> Result<T> {
    Err(Fault::Format(found.into()))
}

/// Decodes a whole stream to pixel-interleaved samples.
///
/// `tables` is an abbreviated stream with tables for this one (TIFF), or empty. `accept` sees the size before
/// anything is allocated for it and says what the colours are.
pub(super) fn decode(tables: &[u8], bytes: &[u8], accept: impl FnOnce(&Header) -> Result<Colours>) -> Result<Vec<u8>> {
    let mut header = Header::default();
    if !tables.is_empty() {
        header.read_tables(tables)?;
    }
    let mut rest = header.start(bytes)?;
    let Step::Scan(mut scan, mut data) = header.next(&mut rest)? else {
        return damaged("no image data");
    };
    let colours = accept(&header)?;
    let mut planes = scan::Planes::new(header.frame()?)?;
    for _ in 0..MAX_SCANS {
        rest = scan::read(&mut header, &scan, data, &mut planes)?;
        match header.next(&mut rest)? {
            Step::End => return output::pixels(&header, &planes, colours),
            Step::Scan(next, next_data) => (scan, data) = (next, next_data),
        }
    }
    Err(Fault::Unsupported(format!("more than {MAX_SCANS} scans")))
}

/// What a stream states before its first scan, without reading on.
pub(super) fn open(reader: impl std::io::Read + std::io::Seek) -> std::io::Result<Result<Opened>> {
    header::open(reader)
}
