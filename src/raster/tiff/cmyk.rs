//! Converts CMYK like GDAL: to red, green, blue, and a fully opaque alpha.

use ndarray::Axis;
use tiff_reader::Ifd;

use super::layout::Layout;
use crate::raster::{Dtype, Samples};

const SEPARATED: u64 = 5;

/// Returns whether the samples are four inks of 8 bits.
pub(super) fn are(ifd: &Ifd, photometric: u64, layout: &Layout) -> bool {
    let is_cmyk = matches!(ifd.ink_set(), Ok(None | Some(tiff_reader::InkSet::Cmyk)));
    photometric == SEPARATED && is_cmyk && layout.bands == 4 && layout.dtype() == Dtype::U8
}

/// Like libtiff's `putCMYKcontig8bittile`.
pub(super) fn to_rgba(samples: &mut Samples) {
    let Samples::U8(bands) = samples else { return };
    for mut row in bands.axis_iter_mut(Axis(1)) {
        for mut pixel in row.axis_iter_mut(Axis(1)).filter(|pixel| pixel.len() == 4) {
            let white = 255 - u16::from(pixel[3]);
            for ink in 0..3 {
                pixel[ink] = (white * (255 - u16::from(pixel[ink])) / 255) as u8;
            }
            pixel[3] = 255;
        }
    }
}
