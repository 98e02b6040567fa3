//! Callbacks that record a training: sample pictures, and event files of TensorBoard.

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
