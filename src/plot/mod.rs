//! Pictures for people: batches, results, curves. Nothing is written or displayed by itself.

mod canvas;
mod curves;
mod grid;
#[cfg(feature = "evcxr")]
mod notebook;
mod picture;
mod show;

pub(crate) use curves::losses;
pub use picture::Picture;
pub use show::show_results;
