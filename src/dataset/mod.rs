//! Training data: from a folder of chips to batches of tensors.
//!
//! [`prepare_data`] reads a folder with the defaults, [`PrepareData`] with options: [`Band`]s, [`Normalisation`],
//! [`Augment`], [`BatchSize`] and others. Either returns a [`DataBunch`], which models are made of. The
//! [guide](crate::guide::data) has the forms of folders and files.

mod alpha_bands;
mod augment;
mod bad_chips;
mod bands;
mod batch;
mod batch_size;
mod batches;
mod bunch;
mod cache;
mod channels;
mod colours;
mod contents;
mod dataset_type;
mod digest;
mod domain;
mod esri;
mod extremes;
mod files;
mod folders;
mod footprint;
mod forms;
mod half;
mod headers;
mod histogram;
mod layout;
mod loader;
mod mixed_bands;
mod moments;
mod normalisation;
mod normalise;
mod options;
mod order;
mod paired;
mod pairs;
mod partners;
mod pass;
mod prepare;
mod scenes;
mod shape;
#[cfg(feature = "plot")]
mod show;
mod sizes;
mod spec;
mod split;
mod statistics;
mod summary;
mod survey;
mod surveys;

pub use alpha_bands::AlphaBands;
pub use augment::Augment;
pub use bad_chips::BadChips;
pub use bands::Band;
pub(crate) use bands::Selection;
pub use batch::Batch;
pub use batch_size::BatchSize;
pub use bunch::{DataBunch, Split};
pub use channels::Channels;
pub use dataset_type::DatasetType;
pub(crate) use digest::DataDigest;
pub use domain::Domain;
pub(crate) use domain::PerDomain;
pub(crate) use files::{image_endings, images_in};
pub use loader::Loader;
pub use mixed_bands::MixedBands;
pub use normalisation::Normalisation;
pub use normalise::Normaliser;
pub(crate) use normalise::Values;
pub use options::PrepareData;
pub use prepare::prepare_data;
pub use scenes::SceneWindow;
pub use sizes::MixedSizes;
pub(crate) use spec::DomainSpec;
pub use statistics::{BandStatistics, Statistics};
