//! The size of tiles.

use std::ops::RangeInclusive;

use super::budget::{Budget, at_once};
use super::halo::Halo;
use crate::error::Result;

/// Allowed sides of tiles.
pub(crate) const SIDES: RangeInclusive<usize> = 8..=16_384;
/// Fixed for each kind of device, so that the same scene gives the same image whatever else the machine does. With this
/// side, halos cost 15 % of the work at 4 blocks and 27 % at 9 (`docs/raster-inference.md`).
const CPU_SIDE: usize = 1024;
const CUDA_SIDE: usize = 2048;
/// Tiles do not get smaller than this to save memory: halos would cost more than the tiles.
const LEAST_SIDE: usize = 256;
/// An image of at most this many tiles goes through the network as a whole: halos would cost as much.
const WHOLE_TILES: f64 = 1.4;
/// Tiles are chosen so that this multiple of their memory is free: the rest of the work needs some, too.
const RESERVE: f64 = 1.5;

/// The arrangement of tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TileLayout {
    /// Without overlap; each is read with its halo, one at a time.
    SideBySide,
    /// Overlapping and blended; several go through the network together.
    Overlapping,
}

/// Image sides that a network accepts; it extends others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetworkSides {
    pub smallest: usize,
    /// All sides are multiples of it.
    pub factor: usize,
}

impl NetworkSides {
    /// Returns the side to which an image of this side is extended.
    pub fn lengthened(self, side: usize) -> usize {
        side.max(self.smallest).next_multiple_of(self.factor.max(1))
    }
}

/// What is known about tiles before free memory is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TileRequest {
    /// Requested side; `None` if free memory decides.
    pub side: Option<usize>,
    pub halo: Halo,
    pub layout: TileLayout,
    pub network: NetworkSides,
    /// Whether the network is on a CUDA device.
    pub is_on_cuda: bool,
    /// Bytes that a step may read and write.
    pub step_bytes: usize,
}

impl TileRequest {
    /// Uses the side of unfinished work, unless another one is requested.
    pub fn begun_with(self, side: Option<usize>) -> Self {
        Self { side: self.side.or(side), ..self }
    }

    /// Chooses the size of tiles.
    ///
    /// # Errors
    /// `Limits` if there is not enough memory for them.
    pub fn size(self, budget: &Budget) -> Result<TileSize> {
        let side = self.side.unwrap_or_else(|| self.largest_side(budget));
        budget.check(&format!("tiles of {side} x {side} pixels"), self.bytes(side, budget))?;
        Ok(TileSize { side, halo: self.halo, step_bytes: self.step_bytes })
    }

    /// Returns the network's memory for as many tiles as go through it together.
    fn bytes(&self, side: usize, budget: &Budget) -> f64 {
        let (halo, together) = match self.layout {
            TileLayout::SideBySide => (self.halo.pixels, 1),
            TileLayout::Overlapping => (0, at_once(self.network.lengthened(side))),
        };
        budget.network(together as f64 * (self.network.lengthened(side + 2 * halo) as f64).powi(2))
    }

    /// Returns the default side, or less if memory is short.
    fn largest_side(&self, budget: &Budget) -> usize {
        let usual = if self.is_on_cuda { CUDA_SIDE } else { CPU_SIDE };
        let mut side = usual;
        while side > LEAST_SIDE && !budget.has(RESERVE * self.bytes(side, budget)) {
            side /= 2;
        }
        if side < usual {
            tracing::warn!(side, usual, "little memory is free: tiles are smaller than the default");
        }
        side
    }
}

/// The size of tiles in a translation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct TileSize {
    pub side: usize,
    pub halo: Halo,
    /// Bytes that a step may read and write.
    pub step_bytes: usize,
}

impl TileSize {
    /// Returns whether an image of this size goes through the network as a whole.
    pub fn takes_whole(&self, (height, width): (usize, usize)) -> bool {
        height as f64 * width as f64 <= WHOLE_TILES * (self.side as f64).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::part::Part;
    use super::super::sample_size::wanted_pixels;
    use super::super::spans::Spans;
    use super::super::tile_plan::{PixelBytes, STEP_BYTES, TilePlan};
    use super::*;
    use crate::error::ErrorKind;

    /// Work of a generator with nine blocks with the default tile size, including the chips for statistics, from 13
    /// bands of 2 bytes to 3 of 1 byte and to as many.
    #[test]
    fn work_is_at_most_1_4_times_that_of_tiles_without_overlap() {
        let size = TileSize { side: CPU_SIDE, halo: Halo { pixels: 64 }, step_bytes: STEP_BYTES };
        for image in [
            (1211, 1213),
            (1025, 1500),
            (1025, 2049),
            (3000, 3100),
            (10_980, 10_980),
            (300, 9000),
            (40_000, 40_000),
            (20_000, 200_000),
            (2_000, 2_000_000),
        ] {
            for bytes in [PixelBytes { read: 26, made: 3 }, PixelBytes { read: 26, made: 26 }] {
                let part = Part::whole(image);
                assert!(!size.takes_whole(image));
                let plan = TilePlan::new(image, &part, size, bytes);
                let along = |spans: &Spans| spans.iter().map(|span| span.seen.len()).sum::<usize>();
                let tiles = along(&plan.rows) as f64 * along(&plan.columns) as f64;
                let sample = wanted_pixels(size.side, part.pixels()).next_multiple_of(64 * 64);
                let work = (tiles + sample as f64) / part.pixels() as f64;
                assert!(work <= 1.4, "{work} for {image:?}");
            }
        }
    }

    fn request(side: Option<usize>) -> TileRequest {
        let layout = TileLayout::SideBySide;
        let network = NetworkSides { smallest: 1, factor: 1 };
        TileRequest { side, halo: Halo::NONE, layout, network, is_on_cuda: false, step_bytes: STEP_BYTES }
    }

    /// One kilobyte a pixel: the default tiles take 1 GiB, and half as much again must be free.
    #[test]
    fn tiles_follow_what_is_free_unless_their_size_is_asked_for() {
        let of = |request: TileRequest, mib: u64| {
            request.size(&Budget { free: Some(mib << 20), network_pixel: 1024.0 }).map(|size| size.side)
        };
        assert_eq!([1536, 1535, 384, 100].map(|mib| of(request(None), mib).unwrap()), [1024, 512, 512, 256]);
        assert_eq!(of(request(Some(1024)), 1024).unwrap(), 1024, "what is asked for is taken as long as it fits");
        for refused in [of(request(Some(1024)), 1023), of(request(None), 63)] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Limits);
        }
        assert_eq!(of(request(None).begun_with(Some(512)), 4096).unwrap(), 512);
        assert_eq!(of(request(Some(64)).begun_with(Some(512)), 4096).unwrap(), 64);
    }

    /// A U-Net of eight levels sees 256 pixels where a tile has 64, and 64 tiles go through it together.
    #[test]
    fn tiles_are_counted_as_the_network_lengthens_them() {
        let bytes = |side, network: NetworkSides| {
            let request = TileRequest { layout: TileLayout::Overlapping, network, ..request(None) };
            request.bytes(side, &Budget { free: None, network_pixel: 1.0 })
        };
        let (plain, u_net) = (NetworkSides { smallest: 8, factor: 4 }, NetworkSides { smallest: 256, factor: 256 });
        assert_eq!([64, 250, 300].map(|side| u_net.lengthened(side)), [256, 256, 512]);
        assert_eq!(bytes(64, plain), (at_once(64) * 64 * 64) as f64);
        assert_eq!(bytes(64, u_net), (at_once(256) * 256 * 256) as f64);
    }
}
