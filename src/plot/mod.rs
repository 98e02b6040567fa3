//! Pictures of batches, results and curves. Nothing is written or displayed automatically: a [`Picture`] is a value.

mod axis;
mod canvas;
mod chart;
mod grid;
#[cfg(feature = "evcxr")]
mod notebook;
mod picture;

pub(crate) use axis::Axis;
pub(crate) use canvas::drawn;
pub(crate) use chart::{Chart, Curve, Line, Mark};
pub use picture::Picture;
