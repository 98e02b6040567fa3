//! Tier 2 of 3: strategies that translate an image part by part with a given network, behind the trait [`Strategy`].
//! Images are cut as `tiling` says; files belong to `scenes`.

mod blended;
mod halo_tiles;
mod images_in_memory;
mod local_norm;
mod norm_statistics;
mod piece_sink;
mod pipeline;
mod progress;
mod scene_error;
mod scene_statistics;
mod scene_translation;
mod statistics_chips;
mod translation;

#[cfg(test)]
pub(crate) use images_in_memory::in_tiles;
pub(crate) use images_in_memory::{translate_image, translate_images};
#[cfg(test)]
pub(crate) use local_norm::check_memory as check_memory_of_nodes;
pub use norm_statistics::NormStatistics;
pub(super) use piece_sink::PieceSink;
pub(super) use pipeline::{Times, run};
pub(super) use progress::{Progress, check_stop};
pub(super) use scene_error::{advised, of_scene};
pub(super) use scene_statistics::gathered_once;
pub(super) use scene_translation::SceneTranslation;
pub(crate) use translation::Translation;

use super::tiling::{Borders, Steps};
use crate::error::Result;
use crate::raster::{Raster, Samples};

/// A strategy makes pieces of the output from parts of the image, in the order of its steps.
pub(crate) trait Strategy {
    fn steps(&self) -> Box<dyn Steps>;

    fn borders(&self) -> Borders;

    /// Returns how many previous steps have to be repeated when work starts at a step.
    fn warm_up(&self) -> usize {
        0
    }

    /// Returns the piece of the output that step `index` completes, if any, from the part of the image that the step
    /// reads. Counts the pixels that are complete.
    fn make(&mut self, index: usize, seen: &Raster, progress: &mut Progress) -> Result<Option<Samples>>;
}
