//! Adam with moments of our own, and learning-rate schedules.

mod adam;
mod schedule;

pub use adam::AdamOptions;
pub(crate) use adam::Adam;
pub use schedule::Schedule;
