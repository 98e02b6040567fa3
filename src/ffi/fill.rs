//! Fills a tensor in place: a batch of chips is large, and copying it costs as much as scaling it.

use std::slice;

use tch::{Device, Kind, Tensor};

use super::linked;
use crate::error::{Error, ErrorKind, Result};

/// The kind of main memory that holds a tensor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum HostMemory {
    /// Ordinary pageable memory.
    #[default]
    Pageable,
    /// Pinned memory, from which CUDA copies asynchronously.
    Pinned,
}

impl HostMemory {
    /// Returns the kind of memory for tensors that will be copied to `device`.
    pub fn for_device(device: Device) -> Self {
        if device.is_cuda() { Self::Pinned } else { Self::Pageable }
    }
}

/// Creates an f32 CPU tensor of this shape, initially 0, whose values `fill` writes.
pub(crate) fn filled(shape: &[i64], memory: HostMemory, fill: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<Tensor> {
    let tensor = match memory {
        HostMemory::Pageable => Tensor::f_zeros(shape, (Kind::Float, Device::Cpu))?,
        HostMemory::Pinned => linked::zeros_pinned(shape)?,
    };
    let values = tensor.numel();
    if values > 0 {
        let start = tensor.data_ptr().cast::<f32>();
        if start.is_null() {
            return Err(Error::new(ErrorKind::Limits, "a batch has no memory"));
        }
        // SAFETY: a new tensor is contiguous, holds `values` initialized floats, and nothing else refers to it yet.
        fill(unsafe { slice::from_raw_parts_mut(start, values) })?;
    }
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_row_by_row() {
        let tensor = filled(&[2, 3], HostMemory::Pageable, |values| {
            assert_eq!(values, [0.0; 6]);
            values.iter_mut().enumerate().for_each(|(place, value)| *value = place as f32);
            Ok(())
        });
        assert_eq!(tensor.unwrap(), Tensor::from_slice2(&[[0f32, 1.0, 2.0], [3.0, 4.0, 5.0]]));
        assert_eq!(filled(&[0, 3], HostMemory::Pageable, |_| Ok(())).unwrap().size(), [0, 3]);
    }
}
