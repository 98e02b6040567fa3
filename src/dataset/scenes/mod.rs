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
// Training from scenes reads windows by these too.
mod spatial_split;
mod survey;
mod validity_map;
mod window;

pub(super) use options::{Drawing, SceneOptions};
pub(super) use prepare::{Prepared, prepare};
pub(super) use scene_set::SceneSet;
pub use window::SceneWindow;
