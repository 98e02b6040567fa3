//! The halo of a tile.

use std::ops::{Range, RangeInclusive};

/// Networks halve height and width twice: tiles that start at multiples of this are processed as in the whole image.
pub(crate) const GRID: usize = 4;
/// Allowed halos, in pixels.
pub(crate) const HALOS: RangeInclusive<usize> = 0..=1024;
/// Share of the network's reach that a halo covers; distant pixels hardly count. A network of 4 blocks was measured
/// with halos from 0 to 48 pixels (`docs/raster-inference.md`): seams vanish between 24 and 36, and a halo wider than
/// 36 changes less than 0.001 out of 255.
const SHARE_OF_REACH: f64 = 0.7;

/// Pixels around a tile that the network sees and whose translation is discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Halo {
    pub pixels: usize,
}

impl Halo {
    pub const NONE: Self = Self { pixels: 0 };

    /// Returns the default halo of a network whose output depends on `reach` pixels around each pixel.
    pub fn of_reach(reach: usize) -> Self {
        Self { pixels: ((SHARE_OF_REACH * reach as f64) as usize).next_multiple_of(GRID) }
    }

    /// Returns the range that a tile covering `made` has to read from an image of `length` pixels, aligned to the
    /// network's grid.
    pub fn around(self, made: &Range<usize>, length: usize) -> Range<usize> {
        let start = made.start.saturating_sub(self.pixels) / GRID * GRID;
        start..(made.end + self.pixels).next_multiple_of(GRID).min(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reach of generators with 4 and 9 blocks, with transposed convolutions and with resize-convolutions.
    #[test]
    fn the_usual_halo_is_seven_tenths_of_the_reach_on_the_grid() {
        assert_eq!([47, 50, 87, 90].map(|reach| Halo::of_reach(reach).pixels), [32, 36, 60, 64]);
    }

    #[test]
    fn a_halo_ends_at_the_image_and_begins_on_the_grid() {
        let halo = Halo { pixels: 6 };
        assert_eq!(halo.around(&(4..9), 100), 0..16);
        assert_eq!(halo.around(&(32..64), 66), 24..66);
        assert_eq!(Halo::NONE.around(&(0..7), 7), 0..7);
    }
}
