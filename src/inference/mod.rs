//! From an image to its translation, of any size.

mod blended;
mod engine;
mod fingerprint;
mod job;
mod local;
mod options;
mod parts;
mod pass;
mod plan;
mod progress;
mod report;
mod sample;
mod scenes;
mod sink;
mod sizes;
mod tiles;
mod translation;

#[cfg(test)]
#[cfg(test)]
pub(crate) use engine::in_tiles;
pub(crate) use engine::{translate_image, translate_images};
pub use options::{NormStatistics, RasterOptions};
pub use report::RasterReport;
pub(crate) use scenes::{Scenes, translate_scenes};
#[cfg(test)]
pub(crate) use sizes::Sizes;
pub(crate) use translation::Translation;
