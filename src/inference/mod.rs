//! Translation of whole scenes: options and report of [`CycleGan::predict_raster`](crate::CycleGan::predict_raster).
//!
//! The [guide](crate::guide::scenes) compares the ways to normalize a scene that is processed in tiles.
// Three tiers, each of which uses only those below it: `scenes` (files in, files out), `strategy` (an image through a
// network, part by part) and `tiling` (geometry and memory).

mod scenes;
mod strategy;
mod tiling;

pub use scenes::{RasterOptions, RasterReport};
pub(crate) use scenes::{RasterRequest, predict_raster};
pub use strategy::NormStatistics;
pub(crate) use strategy::{Translation, translate_image, translate_images};
#[cfg(test)]
pub(crate) use strategy::{check_memory_of_nodes, in_tiles};
#[cfg(test)]
pub(crate) use tiling::{Halo, TileSize};
