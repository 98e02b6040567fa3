//! What layers and updates are told besides tensors.

/// What a convolution with a square kernel does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ConvolutionForm {
    pub stride: i64,
    pub padding: i64,
    /// Transposed, with an output padding of 1.
    pub transposed: bool,
    /// Whether an instance norm takes the bias off again, so that it has no gradient.
    pub normalized: bool,
}

/// What follows a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NormForm {
    /// Of the leaky rectifier behind the norm; 0 is relu, 1 is none.
    pub slope: f64,
    /// What the norm adds to a variance.
    pub epsilon: f64,
    /// How many pixels the result has around it.
    pub border: i64,
}

/// The numbers of one Adam step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamStep {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub weight_decay: f64,
    pub eps: f64,
}
