//! CycleGAN image translation for remote sensing, with the workflow of arcgis.learn, on libtorch.

mod device;
mod error;
mod ffi;
mod nn;
#[allow(dead_code)]
mod package;
mod random;
mod store;

pub use device::{ChosenDevice, Device};
pub use error::{Error, ErrorKind, Result};
