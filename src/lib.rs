//! CycleGAN image translation for remote sensing, with the workflow of arcgis.learn, on libtorch.

mod dataset;
mod device;
mod error;
mod ffi;
mod inference;
mod loss;
mod models;
mod nn;
mod optim;
mod package;
mod plot;
mod random;
mod raster;
mod store;
#[cfg(test)]
mod testing;
mod train;

pub use dataset::{
    Augment, BadChips, BandStatistics, Batch, DataBunch, DatasetType, Domain, Loader, Normaliser, PrepareData, Split,
    Statistics, prepare_data,
};
pub use device::{ChosenDevice, Device};
pub use error::{Error, ErrorKind, Result};
pub use loss::AdversarialLoss;
pub use models::cyclegan::{CycleGan, CycleGanBuilder, CycleGanConfig};
pub use nn::Initialisation;
pub use optim::{AdamOptions, Schedule};
pub use plot::{Picture, show_results};
pub use raster::{Limits, Raster};
pub use train::{
    Callback, EpochRecord, EpochReport, FitOptions, FitReport, Flow, History, Progress, StepContext, StepReport,
    TrainState, Translator,
};
