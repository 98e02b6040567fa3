//! CycleGAN image translation for remote sensing, with the workflow of arcgis.learn, on libtorch.

mod dataset;
mod device;
mod error;
mod ffi;
mod nn;
mod random;
mod raster;
mod store;

pub use dataset::{
    Augment, BadChips, BandStatistics, Batch, DataBunch, DatasetType, Domain, Loader, Normaliser, PrepareData, Split,
    Statistics, prepare_data,
};
pub use device::{ChosenDevice, Device};
pub use error::{Error, ErrorKind, Result};
pub use raster::{Limits, Raster};
