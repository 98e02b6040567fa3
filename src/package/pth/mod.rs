//! `.pth`: the format of `torch.save` for a state dict, one pickle and the storages that it mentions.

mod archive;
pub(crate) mod container;
mod legacy;
mod limits;
mod read;
mod storage;
mod views;
mod write;

pub(crate) use limits::{PthLimits, plausible};
pub(crate) use read::{Tensors, check, read, read_marked, read_marked_bytes};
#[cfg(test)]
pub(crate) use views::tensor_views;
pub(crate) use write::write;
