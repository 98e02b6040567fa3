//! Training: the model trait, the loop over any model, its options, history and callbacks.

mod callback;
mod history;
mod options;
mod progress;
mod trainer;
mod translator;

pub use callback::{Callback, EpochReport, FitReport, Flow, StepReport};
pub use history::{EpochRecord, History};
pub use options::FitOptions;
pub use progress::Progress;
pub use trainer::fit;
pub use translator::{StepContext, TrainState, Translator};
