//! Models, under the names that arcgis.learn gives them and their methods.
//!
//! A model is a [`Learner`] of its kind: [`CycleGan`](crate::CycleGan) is one, of
//! [`CycleGanModel`](cyclegan::CycleGanModel).

// The documentation of a model shows methods in the order of these lists: its own first.
pub mod cyclegan;

mod core;
mod kinds;

pub use self::core::{Deepness, ExportOptions, ExportUnits, Learner, LoadOptions, Predictor};
