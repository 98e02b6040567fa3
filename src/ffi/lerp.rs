//! Moving averages of weights, in one call.

use tch::Tensor;

use super::linked;
use crate::error::{Error, ErrorKind, Result};

/// Moves each tensor of `from`, in place, toward its partner in `to` by the fraction `share`, in one call.
///
/// # Errors
/// `Usage` if the lists differ in length; `Torch` if partners differ in shape, dtype or device.
pub(crate) fn lerp_all(from: &mut [Tensor], to: &mut [Tensor], share: f64) -> Result<()> {
    if from.len() != to.len() {
        return Err(Error::new(ErrorKind::Usage, "lists of tensors differ in length").expected(to.len()));
    }
    linked::lerp_all(from, to, share)
}
