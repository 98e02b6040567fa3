//! Callbacks that record training: sample pictures, and event files for TensorBoard.

#[cfg(feature = "tensorboard")]
mod event;
#[cfg(feature = "tensorboard")]
mod event_file;
mod sample_pictures;
#[cfg(feature = "tensorboard")]
mod tensorboard;

pub use sample_pictures::SamplePictures;
#[cfg(feature = "tensorboard")]
pub use tensorboard::TensorBoard;
