//! Named tensors, as they come from files.

use tch::Tensor;

/// Returns the number of rows of the tensor with this name, if there is one.
pub(crate) fn rows(weights: &[(String, Tensor)], name: &str) -> Option<usize> {
    let (_, tensor) = weights.iter().find(|(other, _)| other == name)?;
    tensor.size().first().and_then(|&rows| usize::try_from(rows).ok())
}

/// Prefixes the names of tensors with the name of their network.
pub(crate) fn prefixed(network: &str, tensors: Vec<(String, Tensor)>) -> impl Iterator<Item = (String, Tensor)> {
    tensors.into_iter().map(move |(name, tensor)| (format!("{network}.{name}"), tensor))
}
