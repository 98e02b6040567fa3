//! The models, each behind the face that arcgis.learn gives it.

mod core;
pub mod cyclegan;
mod kinds;

pub use self::core::{Deepness, ExportOptions, ExportUnits, Learner, LoadOptions, Predictor};
