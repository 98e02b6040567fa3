//! Quality metrics of translations.

mod inception;
mod metric;

pub use inception::{Inception, Resize};
pub(crate) use metric::check_columns;
pub use metric::{Better, Metric, MetricColumn};
