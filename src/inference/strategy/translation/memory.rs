//! What a network needs of tiles and of memory.

use super::super::norm_statistics::NormStatistics;
use super::Translation;
use crate::device::free_memory;
use crate::inference::tiling::{Budget, Halo, PixelBytes, SIDES, STEP_BYTES, TileLayout, TileRequest};
use crate::nn::Layer;
use crate::raster::Source;

/// Bytes that the network takes for a pixel and each of its first feature maps. The first and last layers hold the most:
/// input, convolution and norm of so many maps at full size, of four bytes each.
const BYTES_OF_FEATURE: f64 = 12.0;

impl Translation<'_> {
    /// Returns what is free just now on the device.
    pub fn budget(&self) -> Budget {
        let network_pixel = BYTES_OF_FEATURE * self.generator.features() as f64;
        Budget { free: free_memory(self.device), network_pixel }
    }

    /// Returns the tiles that suit the network, where nothing else is asked for.
    pub fn usual_tiles(&self, statistics: NormStatistics) -> TileRequest {
        let (layout, side) = match statistics {
            NormStatistics::Tile { .. } => {
                let side = self.chip.0.min(self.chip.1).clamp(*SIDES.start(), *SIDES.end());
                (TileLayout::Overlapping, Some(side))
            }
            _ => (TileLayout::SideBySide, None),
        };
        let halo = Halo::of_reach(self.generator.plan().reach());
        TileRequest { side, halo, layout, is_on_cuda: self.device.is_cuda(), step_bytes: STEP_BYTES }
    }

    /// Returns how many numbers one set of statistics of all norms has: two for each channel that is normalized.
    pub fn statistics_values(&self) -> usize {
        let mut channels = 0;
        values(&self.generator.plan().layers, &mut channels)
    }

    /// Returns what pixels of a scene and of its translation take.
    pub fn pixel_bytes(&self, scene: &Source) -> PixelBytes {
        let made = self.to.bands() * self.dtype().bytes();
        PixelBytes { read: scene.bands() * scene.dtype().bytes(), made }
    }
}

/// Counts the numbers of layers whose input has this many `channels`, which become those of their output.
fn values(layers: &[Layer], channels: &mut usize) -> usize {
    let of = |layer: &Layer| {
        match layer {
            Layer::Convolution(shape) => *channels = shape.output as usize,
            Layer::Upsampling(shape) => *channels = shape.output as usize,
            Layer::InstanceNorm => return 2 * *channels,
            Layer::Residual(layers) => return values(layers, channels),
            Layer::Reflect(_) | Layer::Rectify(_) | Layer::AddImage | Layer::Tanh => {}
        }
        0
    };
    layers.iter().map(of).sum()
}
