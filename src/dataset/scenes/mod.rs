//! Scenes as training data: windows of them, which of their pixels have data, and which ground is for validation. No tensors
//! and no chips.

mod builder;
mod bunch;
mod epoch;
mod gaps;
mod geojson;
mod ground;
mod options;
mod positions;
mod prepare;
mod scene;
mod scene_set;
mod shelf;
mod spatial_split;
mod survey;
mod validity_map;
mod window;

pub(super) use options::{Drawing, SceneOptions};
pub(super) use prepare::{Prepared, prepare};
pub(super) use scene_set::SceneSet;
pub(crate) use spatial_split::{Blocks, SpatialSplit, Use, split_scenes};
pub(crate) use validity_map::ValidityMap;
pub use window::SceneWindow;
pub(crate) use window::grid;
