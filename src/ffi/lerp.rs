//! Means that follow weights, all in one call.

use tch::Tensor;

use super::linked;
use crate::error::{Error, ErrorKind, Result};

/// Moves each tensor of `from`, in place, by `share` of the way to its partner in `to`; all in one call.
///
/// # Errors
/// `Usage` unless the lists have one length, `Torch` unless partners are of one shape, dtype and device.
pub(crate) fn lerp_all(from: &mut [Tensor], to: &mut [Tensor], share: f64) -> Result<()> {
    if from.len() != to.len() {
        return Err(Error::new(ErrorKind::Usage, "lists of tensors differ in length").expected(to.len()));
    }
    linked::lerp_all(from, to, share)
}
