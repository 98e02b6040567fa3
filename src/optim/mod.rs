//! Optimization: Adam and learning-rate schedules.

mod adam;
mod running_mean;
mod schedule;

pub use adam::AdamOptions;
pub(crate) use adam::{Adam, Update};
pub(crate) use running_mean::RunningMean;
pub use schedule::{OneCycle, Rate, Schedule};
