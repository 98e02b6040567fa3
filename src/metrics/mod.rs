//! Quality metrics of translations.
#![allow(dead_code, unused_imports, reason = "no model reports these numbers yet")]

mod features;
#[cfg(test)]
mod fixtures;
mod frechet;
mod inception;
mod kernel_distance;
mod kernel_moments;
mod metric;

pub(crate) use frechet::frechet_distance;
pub use inception::{Inception, Resize};
pub(crate) use kernel_distance::{KernelDistance, kernel_distance};
pub(crate) use metric::check_columns;
pub use metric::{Better, Metric, MetricColumn};
