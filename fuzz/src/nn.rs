//! What writers, which are not run here, ask of tensors.

use tch::{Kind, TchError, Tensor};

/// Gives no bytes.
pub(crate) fn bytes_of(_tensor: &Tensor, _kind: Kind, buffer: &mut Vec<u8>) -> Result<(), TchError> {
    buffer.clear();
    Ok(())
}
