//! Training data: from a folder of chips to batches of tensors.
//!
//! [`prepare_data`] reads a folder with the default options; [`PrepareData`] sets [`Band`]s, [`Normalization`], [`Augment`],
//! [`BatchSize`] and others. Both return a [`DataBunch`], from which models are created. The [guide](crate::guide::data)
//! describes the folders and file formats that they read.

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
mod colors;
mod contents;
mod dataset_type;
mod digest;
mod domain;
mod esri;
mod export;
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
mod normalization;
mod normalize;
mod options;
mod order;
mod paired;
mod pairs;
mod partners;
mod pass;
mod prepare;
mod scenes;
mod shape;
mod shares;
#[cfg(feature = "plot")]
mod show;
mod sizes;
mod spec;
mod split;
mod statistics;
mod summary;
mod survey;
mod surveys;
mod variation;

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
pub use export::{ChipFormat, ExportReport, ExportTrainingData, LeftOut, MetadataFormat, export_training_data};
pub(crate) use files::{image_endings, images_in};
pub use loader::Loader;
pub use mixed_bands::MixedBands;
pub use normalization::Normalization;
pub use normalize::Normalizer;
pub(crate) use normalize::Values;
pub use options::PrepareData;
pub use prepare::prepare_data;
pub use scenes::SceneWindow;
pub use sizes::MixedSizes;
pub(crate) use spec::DomainSpec;
pub use statistics::{BandStatistics, Statistics};
