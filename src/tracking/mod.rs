//! Callbacks that keep what training looks like: pictures, and TensorBoard's event files.

mod event;
mod event_file;
mod sample_pictures;
mod tensorboard;

pub use sample_pictures::SamplePictures;
pub use tensorboard::TensorBoard;
