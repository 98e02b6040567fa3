//! The meaning of bands: the palette, and which band is alpha.

use tiff_reader::Ifd;

const COLOR_MAP: u16 = 320;
pub(super) const EXTRA_SAMPLES: u16 = 338;

/// Returns the palette, reduced from 16 to 8 bits like in GDAL.
pub(super) fn palette(ifd: &Ifd) -> Option<Vec<[u8; 3]>> {
    let values = numbers(ifd, COLOR_MAP);
    let colors = values.len() / 3;
    let largest = values.iter().max()?;
    // Some writers store 8-bit values unchanged, some multiply by 256 instead of 257.
    let unit = match largest {
        1..256 => 1,
        1.. if values.iter().all(|value| value.is_multiple_of(256)) => 256,
        _ => 257,
    };
    let color = |index: usize| [0, 1, 2].map(|part| (values[part * colors + index] / unit).min(255) as u8);
    (colors > 0).then(|| (0..colors).map(color).collect())
}

/// Returns the first band that `ExtraSamples` marks as alpha, associated (1) or not (2).
pub(super) fn alpha_band(ifd: &Ifd, bands: usize) -> Option<usize> {
    let extra = numbers(ifd, EXTRA_SAMPLES);
    let first = bands.checked_sub(extra.len())?;
    extra.iter().position(|kind| matches!(kind, 1 | 2)).map(|index| first + index)
}

fn numbers(ifd: &Ifd, tag: u16) -> Vec<u64> {
    ifd.tag(tag).and_then(|tag| tag.value.as_u64_vec()).unwrap_or_default()
}
