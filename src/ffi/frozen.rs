//! Weights that threads share.

use tch::Tensor;

/// Tensors that nobody writes to any more, so that threads may share them.
#[derive(Debug)]
pub(crate) struct Frozen(Vec<Tensor>);

// SAFETY: the tensors are reached through `handles` alone, which counts references atomically. libtorch reads a tensor from
// several threads at once; it is writing that needs care, and whoever takes handles does not write.
unsafe impl Sync for Frozen {}

impl Frozen {
    /// Takes tensors without gradients, which no one else may write to.
    pub fn new(tensors: Vec<Tensor>) -> Self {
        Self(tensors)
    }

    /// Gives handles of the same memory, for reading.
    pub fn handles(&self) -> Vec<Tensor> {
        self.0.iter().map(Tensor::shallow_clone).collect()
    }
}
