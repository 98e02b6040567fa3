//! Tensors by name, as they come from files.

use tch::Tensor;

/// Returns how many rows the tensor of this name has, where there is one.
pub(crate) fn rows(weights: &[(String, Tensor)], name: &str) -> Option<usize> {
    let (_, tensor) = weights.iter().find(|(other, _)| other == name)?;
    tensor.size().first().and_then(|&rows| usize::try_from(rows).ok())
}

/// Puts the name of a network before those of its tensors.
pub(crate) fn prefixed(network: &str, tensors: Vec<(String, Tensor)>) -> impl Iterator<Item = (String, Tensor)> {
    tensors.into_iter().map(move |(name, tensor)| (format!("{network}.{name}"), tensor))
}
