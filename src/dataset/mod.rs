//! From a folder of chips to batches of tensors.

mod augment;
mod batch;
mod batch_size;
mod batches;
mod bunch;
mod digest;
mod domain;
mod files;
mod layout;
mod loader;
mod normalise;
mod options;
mod order;
mod prepare;
mod split;
mod statistics;
mod summary;
mod survey;

pub use augment::Augment;
pub use batch::Batch;
pub use batch_size::BatchSize;
pub use bunch::{DataBunch, Split};
pub(crate) use digest::{DataDigest, DomainDigest};
pub use domain::Domain;
pub(crate) use domain::PerDomain;
pub use loader::Loader;
pub use normalise::Normaliser;
pub use options::{DatasetType, PrepareData, prepare_data};
pub use statistics::{BandStatistics, Statistics};
pub use survey::BadChips;
