//! Everything that is the same for all image translators; each kind of model adds its own part.
//!
//! [`Model`] is the part of one kind: options, networks, losses, training step. [`Learner`] owns one with its data,
//! history and device, and fits, measures, predicts, exports, saves and loads it.

// The documentation of a model shows its methods in this order, from training to the rest.
mod fit;

mod predict;

#[cfg(feature = "plot")]
mod show;

mod quality;

mod saved;

mod load;

mod raster;
#[cfg(test)]
mod raster_peers_tests;

mod predictor;

mod export;

mod weights;

mod resumed;

mod batch_size;
mod build;
mod card;
mod definition;
#[cfg(test)]
mod definition_tests;
mod direction;
mod eight_bit_domain;
mod export_options;
mod learner;
mod load_options;
mod load_report;
mod memory;
mod model;
mod named;
#[cfg(test)]
mod one_way_tests;
mod optimizers;
mod options;
#[cfg(test)]
mod peers_fits;
// A page without pictures says why.
#[cfg_attr(not(feature = "plot"), path = "no_pictures.rs")]
mod pictures;
mod report;
mod setters;
mod stac;
mod step_memory;
mod training;
mod translator;

pub use self::learner::Learner;
pub use export_options::{Deepness, ExportOptions, ExportUnits};
pub use load_options::LoadOptions;
pub use load_report::{LoadReport, ShapeMismatch};
pub use predictor::Predictor;

pub(crate) use eight_bit_domain::eight_bit_domain;
pub(crate) use model::{Model, Start};
pub(crate) use named::{prefixed, rows};
pub(crate) use optimizers::{OptimizerSlot, Optimizers, freeze};
pub(crate) use options::{size, weight, within};
#[cfg(test)]
pub(crate) use peers_fits::{FitResult, PeerFit, SAME_BITS, check};
pub(crate) use setters::setters;
pub(crate) use step_memory::{Bytes, FLOAT, Step, TRANSIENT, make_room, trained_bytes};
