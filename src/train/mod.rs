//! Training: options, callbacks, history, checkpoints, and a training loop for any model.
//!
//! [`CycleGan::fit`](crate::CycleGan::fit) takes [`FitOptions`]. A model of your own implements [`Translator`] and is
//! trained by [`fit`].

mod agreement;
mod batch_size;
mod batch_size_estimate;
mod callback;
mod checkpoint;
mod difference;
mod early_stopping;
mod found_rate;
#[cfg(test)]
mod found_rate_tests;
mod guard;
mod history;
mod history_file;
mod history_text;
mod learning_rate;
mod lr_find_options;
mod lr_finder;
mod memory;
mod meter;
mod monitor;
mod options;
#[cfg(test)]
mod peers_stops_tests;
#[cfg(test)]
mod peers_tests;
#[cfg(feature = "plot")]
mod pictures;
mod plan;
mod progress;
mod restore_guard;
mod snapshot;
mod start;
mod state;
mod stop;
#[cfg(feature = "plot")]
mod tracking;
mod trainer;
mod translator;
mod validation;

pub use crate::stop::StopSignal;
pub use batch_size::BatchSizeTrial;
pub(crate) use batch_size::choose_batch_size;
#[cfg(test)]
pub(crate) use batch_size_estimate::estimate_within;
pub use batch_size_estimate::{BatchSizeEstimate, BatchSizeLimit, estimate_batch_size};
pub use callback::{Callback, EndReport, EpochReport, FitReport, Flow, StepReport};
pub use checkpoint::Checkpoint;
pub(crate) use checkpoint::read_checkpoint;
pub use early_stopping::EarlyStopping;
pub use history::{EpochRecord, History};
pub use history_file::HistoryFile;
pub use learning_rate::LearningRate;
pub use lr_find_options::LrFindOptions;
pub(crate) use lr_finder::lr_find;
pub use lr_finder::{LrCurve, SweepEnd};
pub use memory::MemoryEstimate;
pub use options::FitOptions;
#[cfg(feature = "plot")]
#[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
pub use pictures::show_results;
#[cfg(feature = "plot")]
pub(crate) use pictures::{losses, rates};
pub use progress::Progress;
pub(crate) use progress::spoken;
pub use snapshot::Snapshot;
pub use start::fit;
pub use state::TrainState;
#[cfg(feature = "plot")]
#[cfg_attr(docsrs, doc(cfg(feature = "plot")))]
pub use tracking::SamplePictures;
#[cfg(feature = "tensorboard")]
#[cfg_attr(docsrs, doc(cfg(feature = "tensorboard")))]
pub use tracking::TensorBoard;
pub use translator::{StepContext, Translator};
pub(crate) use validation::validate;
