//! Pictures of a training: losses and rates over epochs, what a fit will do with the rate, a range test, results.

mod history;
mod lr_curve;
mod lr_plan;
mod results;

pub(crate) use history::{losses, rates};
pub use results::show_results;

/// Width and height of a picture of curves.
const SIZE: (u32, u32) = (960, 640);
