//! The plainest TIFF that GDAL would write with `COMPRESS=DEFLATE`: RGB bytes, pixel by pixel, in one strip.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use ndarray::Array3;

const SHORT: u16 = 3;
const LONG: u16 = 4;
/// Tag of the bits of each band.
const BITS: u16 = 258;
const HEADER_BYTES: usize = 8;

pub fn deflated(image: &Array3<u8>) -> io::Result<Vec<u8>> {
    let (bands, height, width) = image.dim();
    let pixels: Vec<u8> = image.view().permuted_axes([1, 2, 0]).iter().copied().collect();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&pixels)?;
    let mut strip = encoder.finish()?;
    // Directories begin at even places.
    let strip_bytes = strip.len();
    strip.resize(strip_bytes.next_multiple_of(2), 0);
    let directory = HEADER_BYTES + strip.len();
    let entries: [(u16, u16, usize); 10] = [
        (256, LONG, width),
        (257, LONG, height),
        // A list that stands behind the directory.
        (BITS, SHORT, 0),
        (259, SHORT, 8),
        (262, SHORT, 2),
        (273, LONG, HEADER_BYTES),
        (277, SHORT, bands),
        (278, LONG, height),
        (279, LONG, strip_bytes),
        (284, SHORT, 1),
    ];
    let mut file = [b"II*\0".as_slice(), &(directory as u32).to_le_bytes(), &strip].concat();
    file.extend((entries.len() as u16).to_le_bytes());
    let bits = directory + 2 + 12 * entries.len() + 4;
    for (tag, kind, value) in entries {
        let (count, value) = if tag == BITS { (bands, bits) } else { (1, value) };
        file.extend([tag, kind].iter().flat_map(|part| part.to_le_bytes()));
        file.extend([count, value].iter().flat_map(|part| (*part as u32).to_le_bytes()));
    }
    file.extend([0; 4]);
    file.extend(std::iter::repeat_n(8u16.to_le_bytes(), bands).flatten());
    Ok(file)
}
