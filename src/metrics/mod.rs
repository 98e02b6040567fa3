//! Quality metrics of translations.

mod metric;

pub(crate) use metric::check_columns;
pub use metric::{Better, Metric, MetricColumn};
