//! Scenes as training data: windows of them, which of their pixels have data, and which ground is for validation. No tensors
//! and no chips.

// Training from scenes reads windows by these too.
mod spatial_split;
mod validity_map;
mod window;

pub(crate) use spatial_split::{Blocks, SpatialSplit, Use, split_scenes};
pub(crate) use validity_map::ValidityMap;
pub use window::SceneWindow;
pub(crate) use window::grid;
