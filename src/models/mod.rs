//! The models, each behind the face that arcgis.learn gives it.

mod core;
pub mod cyclegan;
mod kinds;
pub mod pix2pix;

pub use self::core::{Learner, LoadOptions, Predictor};
