//! Pictures for people: batches, results, curves. Nothing is written or displayed by itself.

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
#[allow(unused_imports, reason = "for the learning-rate finder")]
pub(crate) use range_test::lr_curve;
pub use show::show_results;
