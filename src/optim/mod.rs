//! Adam with moments of our own, and learning-rate schedules.

mod adam;
mod schedule;

pub use adam::AdamOptions;
pub(crate) use adam::{Adam, Update};
pub use schedule::{OneCycle, Rate, Schedule};
