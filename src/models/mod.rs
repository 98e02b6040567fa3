//! Models, with arcgis.learn's names for them and for their methods.
//!
//! A model is a [`Learner`] of its kind: [`CycleGan`](crate::CycleGan) of [`CycleGanModel`](cyclegan::CycleGanModel),
//! [`Pix2Pix`](crate::Pix2Pix) of [`Pix2PixModel`](pix2pix::Pix2PixModel).

// The documentation of a model shows methods in the order of these lists: its own first.
pub mod cyclegan;
pub mod pix2pix;

mod core;
mod kinds;

pub use self::core::{
    Deepness, ExportOptions, ExportUnits, Learner, LoadOptions, LoadReport, Predictor, ShapeMismatch,
};
