//! Checkpoints: which states of a fit are saved, where, and how a fit resumes from one.

mod callback;
mod choice;
mod file;
mod folder;

pub(super) use callback::{Checkpoints, NoteReported};
pub use choice::Checkpoint;
pub(crate) use file::read as read_checkpoint;
pub(super) use file::{Contents, parse};
pub(super) use folder::Folder;
