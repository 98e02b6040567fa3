//! The models, each behind the face that arcgis.learn gives it.

pub mod cyclegan;
mod direction;
mod facts;
mod predictor;

pub use predictor::Predictor;
