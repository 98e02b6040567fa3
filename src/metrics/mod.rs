//! Training metrics, and the network that KID and FID use.
//!
//! [`InceptionDistances`] computes KID and FID for [`FitOptions::metric`](crate::FitOptions::metric); implement [`Metric`]
//! for a metric of your own. Metrics of a trained model are in [`evaluation`](crate::evaluation).
// Images are (bands, height, width); samples that are not finite have no data and do not count. Metrics of pairs of
// images return one `Mean` per band, or one per image if bands cannot be separated; means can be added over bands and
// over the images of a set.

mod bands;
mod checkerboard;
mod feature_set;
mod features;
mod filter;
#[cfg(test)]
mod fixtures;
mod frechet;
mod gradient_correlation;
mod histogram;
mod histogram_match;
mod inception;
mod inception_distances;
mod kernel_distance;
mod kernel_moments;
mod mae;
mod mean;
mod mean_color;
mod metric;
mod pair;
mod psnr;
mod spectral_angle;
mod ssim;

pub(crate) use checkerboard::{LEAST as CHECKERBOARD_SIDE, checkerboard};
pub(crate) use feature_set::{FeatureDistances, FeatureSet};
pub(crate) use frechet::frechet_distance;
pub(crate) use gradient_correlation::gradient_correlation;
pub(crate) use histogram_match::{HistogramMatch, HistogramPool};
pub use inception::{Inception, Resize};
pub use inception_distances::InceptionDistances;
pub(crate) use kernel_distance::{KernelDistance, kernel_distance};
pub(crate) use mae::absolute_errors;
pub(crate) use mean::Mean;
pub(crate) use mean_color::MeanColor;
pub(crate) use metric::check_columns;
pub use metric::{Better, Metric, MetricColumn};
pub(crate) use psnr::{psnr, squared_errors};
pub(crate) use spectral_angle::spectral_angle;
pub use ssim::SsimWindow;
pub(crate) use ssim::ssim;
