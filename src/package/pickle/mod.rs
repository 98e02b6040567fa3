//! The part of Python's pickle that `torch.save` uses for a state dict.
//!
//! [`read`] knows the opcodes and the few globals that tensors need and refuses all others by name; it executes
//! nothing. [`write`] produces exactly the bytes of `torch.save`.

mod bytes;
mod calls;
mod globals;
mod machine;
mod opcode;
mod steps;
mod value;
mod write;

pub(crate) use steps::{read, read_first};
pub(crate) use value::{Pickle, Storage, TensorView, Value};
pub(crate) use write::state_dict;
