//! The readers of weights, without what makes tensors of them.

#[path = "../../../src/package/pickle/mod.rs"]
pub(crate) mod pickle;
pub(crate) mod pth;
