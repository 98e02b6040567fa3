//! CMYK as GDAL shows it: red, green, blue, and an alpha that hides nothing.

use tiff_reader::Ifd;

use super::layout::Layout;
use crate::raster::Dtype;

const SEPARATED: u64 = 5;

/// Whether the samples are four inks of 8 bits.
pub(super) fn are(ifd: &Ifd, photometric: u64, layout: &Layout) -> bool {
    let is_cmyk = matches!(ifd.ink_set(), Ok(None | Some(tiff_reader::InkSet::Cmyk)));
    photometric == SEPARATED && is_cmyk && layout.bands == 4 && layout.dtype == Dtype::U8
}

/// As libtiff's `putCMYKcontig8bittile`.
pub(super) fn to_rgba(samples: &mut [u8]) {
    for [c, m, y, k] in samples.as_chunks_mut::<4>().0 {
        let white = 255 - u16::from(*k);
        for ink in [c, m, y] {
            *ink = (white * (255 - u16::from(*ink)) / 255) as u8;
        }
        *k = 255;
    }
}
