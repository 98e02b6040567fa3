//! Parameters of layers and updates, apart from tensors.

/// Parameters of a convolution with a square kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvolutionForm {
    pub stride: i64,
    pub padding: i64,
    /// Transposed, with an output padding of 1.
    pub transposed: bool,
    /// Whether an instance norm follows, which cancels the bias, so that it has no gradient.
    pub normalized: bool,
}

/// What follows a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NormForm {
    /// Slope of the leaky ReLU after the norm; 0 is ReLU, 1 is the identity.
    pub slope: f64,
    /// The norm's epsilon, which is added to the variance.
    pub epsilon: f64,
    /// Width in pixels of the border around the result.
    pub border: i64,
}

/// Parameters of an Adam step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamStep {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub weight_decay: f64,
    pub eps: f64,
}

/// How our own CUDA layers compute; the results are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CudaOptions {
    /// Whether norms keep maps in shared memory where they fit.
    pub norms_on_chip: bool,
    /// Whether residual blocks compute their inner map again for the gradient, instead of keeping it.
    pub recomputes: bool,
}

impl Default for CudaOptions {
    fn default() -> Self {
        Self { norms_on_chip: false, recomputes: true }
    }
}
