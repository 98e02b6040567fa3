//! Callbacks that keep what training looks like: pictures, and TensorBoard's event files.

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
