//! From an image to its translation.

mod predict;

pub(crate) use predict::{predict_array, predict_raster, tensor_to_array};
