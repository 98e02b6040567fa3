//! What every image translator does, written once over what is particular to a model.
//!
//! [`Model`] is what is particular: options, networks, losses, step. [`Learner`] owns one with its data, history and device,
//! and fits, measures, predicts, exports, saves and loads it.

mod batch_size;
mod byte_facts;
mod definition;
#[cfg(test)]
mod definition_tests;
mod direction;
mod export;
mod fit;
mod learner;
mod load_options;
mod memory;
mod model;
#[cfg(test)]
mod one_way_tests;
// A page without pictures says why.
#[cfg_attr(not(feature = "plot"), path = "no_pictures.rs")]
mod pictures;
mod predict;
mod predictor;
mod quality;
mod raster;
mod report;
mod resumed;
mod saved;
#[cfg(feature = "plot")]
mod show;
mod training;
mod translator;
mod weights;

pub use self::learner::Learner;
pub use load_options::LoadOptions;
pub use predictor::Predictor;

pub(crate) use byte_facts::byte_facts;
pub(crate) use learner::training_size;
pub(crate) use model::{Model, Start};
