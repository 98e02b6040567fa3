//! The network's requirements for tiles and memory.

use super::super::norm_statistics::NormStatistics;
use super::Translation;
use crate::device::free_memory;
use crate::inference::tiling::{Budget, Halo, NetworkSides, PixelBytes, SIDES, STEP_BYTES, TileLayout, TileRequest};
use crate::raster::Source;

/// Bytes that the network takes for each pixel and feature of its first layer. The first and last layers take the most:
/// input, convolution and norm of that many maps at full size, four bytes each.
const BYTES_OF_FEATURE: f64 = 12.0;

impl Translation<'_> {
    /// Returns the memory that is free on the device right now.
    pub fn budget(&self) -> Budget {
        let network_pixel = BYTES_OF_FEATURE * self.generator.features() as f64;
        Budget { free: free_memory(self.device), network_pixel }
    }

    /// Returns the default tiles for the network.
    pub fn usual_tiles(&self, statistics: NormStatistics) -> TileRequest {
        let (layout, side) = match statistics {
            NormStatistics::Tile { .. } => {
                let side = self.chip.0.min(self.chip.1).clamp(*SIDES.start(), *SIDES.end());
                (TileLayout::Overlapping, Some(side))
            }
            _ => (TileLayout::SideBySide, None),
        };
        let halo = Halo::of_reach(self.generator.plan().reach());
        let (network, is_on_cuda) = (self.network_sides(), self.device.is_cuda());
        TileRequest { side, halo, layout, network, is_on_cuda, step_bytes: STEP_BYTES }
    }

    /// Returns the sides that the network accepts.
    pub fn network_sides(&self) -> NetworkSides {
        let plan = self.generator.plan();
        NetworkSides { smallest: plan.smallest_side as usize, factor: plan.factor as usize }
    }

    /// Returns the count of numbers in one set of statistics of all norms: two for each normalized channel.
    pub fn statistics_values(&self) -> usize {
        2 * self.generator.plan().normed_channels(self.from.channels())
    }

    /// Returns the bytes of a pixel of a scene and of its translation.
    pub fn pixel_bytes(&self, scene: &Source) -> PixelBytes {
        let made = self.to.bands() * self.dtype().bytes();
        PixelBytes { read: scene.bands() * scene.dtype().bytes(), made }
    }
}
