//! Quality metrics of translations, and the simple translations that a model is compared with.
//!
//! Images are (bands, height, width); a sample that is not finite has no data and does not count. Metrics of images give
//! one [`Mean`] for each band, or one for the image where bands only count together. Means add up over bands and over
//! the images of a set.
#![allow(dead_code, unused_imports, reason = "no model reports these numbers yet")]

mod bands;
mod checkerboard;
mod features;
mod filter;
#[cfg(test)]
mod fixtures;
mod frechet;
mod gradient_correlation;
mod histogram;
mod histogram_match;
mod inception;
mod kernel_distance;
mod kernel_moments;
mod mae;
mod mean;
mod mean_color;
mod metric;
mod no_translation;
mod pair;
mod psnr;
mod spectral_angle;
mod ssim;

pub(crate) use checkerboard::checkerboard;
pub(crate) use frechet::frechet_distance;
pub(crate) use gradient_correlation::gradient_correlation;
pub(crate) use histogram_match::{HistogramMatch, HistogramPool};
pub use inception::{Inception, Resize};
pub(crate) use kernel_distance::{KernelDistance, kernel_distance};
pub(crate) use mae::absolute_errors;
pub(crate) use mean::Mean;
pub(crate) use mean_color::MeanColor;
pub(crate) use metric::check_columns;
pub use metric::{Better, Metric, MetricColumn};
pub(crate) use no_translation::no_translation;
pub(crate) use psnr::{psnr, squared_errors};
pub(crate) use spectral_angle::spectral_angle;
pub(crate) use ssim::{SsimWindow, ssim};
