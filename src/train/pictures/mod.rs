//! Charts of a training: losses and rates over epochs, planned rates, a range test, and sample translations.

mod history;
mod lr_curve;
mod lr_plan;
mod results;

pub(crate) use history::{losses, rates};
pub use results::show_results;

/// Width and height of a picture of curves.
const SIZE: (u32, u32) = (960, 640);
