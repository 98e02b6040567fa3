//! The size of the sample from which norm statistics are gathered.

/// Smallest and largest side of chips for statistics: multiples of the network's grid.
const CHIP_SIDES: (usize, usize) = (64, 128);
/// Share of a scene from which statistics are gathered, up to one tile's worth. With the halos of tiles of 1024 pixels,
/// it keeps the work below 1.4 times that of tiles without overlap, which a test checks (`tile_size`).
const SHARE: f64 = 0.12;
/// Statistics are gathered from at least this many pixels.
const LEAST_PIXELS: f64 = 200_000.0;

/// Returns the side of chips for statistics: that of training chips, within limits, and aligned to the network's grid.
pub(crate) fn chip_side((height, width): (usize, usize)) -> usize {
    let (least, most) = CHIP_SIDES;
    height.min(width).clamp(least, most) / 4 * 4
}

/// Returns how many pixels to gather statistics from, for scenes of `pixels` pixels and tiles of this side.
pub(crate) fn wanted_pixels(tile_side: usize, pixels: u64) -> usize {
    let most = (tile_side as f64).powi(2).max(LEAST_PIXELS);
    (SHARE * pixels as f64).clamp(LEAST_PIXELS, most).ceil() as usize
}

/// Returns whether a scene is so small that all of it is used.
pub(crate) fn is_gathered_whole((height, width): (usize, usize)) -> bool {
    height as f64 * width as f64 <= LEAST_PIXELS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chips_are_those_of_training_within_reason() {
        let sides = [(0, 32), (64, 64), (90, 101), (256, 100), (512, 512), (usize::MAX, usize::MAX)].map(chip_side);
        assert_eq!(sides, [64, 64, 88, 100, 128, 128]);
    }

    #[test]
    fn a_share_of_a_scene_is_wanted_between_a_least_number_and_a_tile() {
        assert_eq!([1, 2_000_000, 1 << 40].map(|pixels| wanted_pixels(1024, pixels)), [200_000, 240_000, 1 << 20]);
        assert_eq!(wanted_pixels(64, 1 << 40), 200_000);
        assert!(is_gathered_whole((400, 500)) && !is_gathered_whole((401, 500)));
    }
}
