//! Weights shared by threads.

use tch::Tensor;

/// Tensors that are no longer written to, so that threads may share them.
#[derive(Debug)]
pub(crate) struct Frozen(Vec<Tensor>);

// SAFETY: the tensors are reached through `handles` alone, which counts references atomically. libtorch reads a tensor from
// several threads at once; it is writing that needs care, and whoever takes handles does not write.
unsafe impl Sync for Frozen {}

impl Frozen {
    /// Takes tensors without gradients, which nothing else may write to.
    pub fn new(tensors: Vec<Tensor>) -> Self {
        Self(tensors)
    }

    /// Returns handles to the same memory, for reading only.
    pub fn handles(&self) -> Vec<Tensor> {
        self.0.iter().map(Tensor::shallow_clone).collect()
    }
}
