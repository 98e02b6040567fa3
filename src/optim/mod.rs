//! Adam with moments of our own, and learning-rate schedules.

mod adam;
mod schedule;

pub(crate) use adam::Adam;
pub use adam::AdamOptions;
pub use schedule::Schedule;
