//! The models, each behind the face that arcgis.learn gives it.

pub mod cyclegan;
