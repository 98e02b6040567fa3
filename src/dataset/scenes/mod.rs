//! Training directly from scenes: windows, validity of pixels, and the ground set aside for validation. Uses no tensors
//! and no chips.

mod builder;
mod bunch;
mod domain_scenes;
mod epoch;
mod gaps;
mod geojson;
mod ground;
mod options;
mod positions;
mod prepare;
mod same_ground;
mod scene;
mod scene_set;
mod spatial_split;
mod survey;
mod validity_map;
mod window;
mod window_cache;
mod window_plan;

pub(crate) use ground::Ground;
pub(super) use options::{SceneOptions, WindowOptions};
pub(super) use prepare::{Prepared, prepare};
pub(crate) use same_ground::{check_same_grid, first_on_grid, validation_elsewhere};
pub(super) use scene_set::SceneSet;
pub(crate) use spatial_split::{Blocks, SpatialSplit, Use, split_scenes};
pub(crate) use validity_map::ValidityMap;
pub use window::SceneWindow;
pub(crate) use window::grid;
