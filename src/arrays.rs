//! Conversions between `ndarray` arrays and tensors.

use ndarray::Array3;
use tch::{Kind, Tensor};

use crate::error::{Error, ErrorKind, Result};

/// Converts an array into a tensor on the processor.
///
/// # Shapes
/// (C, H, W) to the same.
pub(crate) fn array_to_tensor(array: Array3<f32>) -> Result<Tensor> {
    let (channels, height, width) = array.dim();
    let array = array.as_standard_layout();
    let values = array.as_slice().unwrap_or_default();
    Ok(Tensor::f_from_slice(values)?.f_reshape([channels as i64, height as i64, width as i64])?)
}

/// Converts a tensor of any float dtype and device into an array.
///
/// # Shapes
/// (C, H, W) to the same.
pub(crate) fn tensor_to_array(tensor: &Tensor) -> Result<Array3<f32>> {
    let (channels, height, width) = tensor.size3()?;
    let flat = tensor.f_to_kind(Kind::Float)?.f_reshape([-1])?;
    let values = Vec::<f32>::try_from(flat)?;
    Array3::from_shape_vec((channels as usize, height as usize, width as usize), values)
        .map_err(|e| Error::new(ErrorKind::Torch, "tensor has an unexpected shape").because(e))
}
