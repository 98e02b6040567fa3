//! Pictures of batches, results and curves. Nothing is written or displayed by itself: a [`Picture`] is a value.

mod axis;
mod canvas;
mod chart;
mod curves;
mod grid;
#[cfg(feature = "evcxr")]
mod notebook;
mod picture;
mod plan;
mod range_test;
mod show;

pub(crate) use curves::{losses, rates};
pub use picture::Picture;
pub use show::show_results;
