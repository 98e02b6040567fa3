//! Device memory, as libtorch's allocator counts it.

use crate::device::Device;
use crate::error::Result;
use crate::ffi;

/// How much memory of a CUDA device this process has taken through libtorch, in bytes. What the driver, cuDNN and other
/// processes take is not in it.
///
/// ```no_run
/// use geolearn::profile::CudaMemory;
///
/// CudaMemory::reset_peak(0)?;
/// // … train …
/// println!("{} MiB at most", CudaMemory::of(0)?.peak_allocated >> 20);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CudaMemory {
    /// Held by tensors now, like `torch.cuda.memory_allocated` in Python.
    pub allocated: u64,
    /// Most that tensors have held at once since the start, or since [`reset_peak`](Self::reset_peak). Like
    /// `torch.cuda.max_memory_allocated`.
    pub peak_allocated: u64,
    /// Held by the allocator now, for tensors and for later use. Like `torch.cuda.memory_reserved`.
    pub reserved: u64,
    /// Most that the allocator has held.
    pub peak_reserved: u64,
}

impl CudaMemory {
    /// Reads the counters of the CUDA device with this index.
    ///
    /// # Errors
    /// `Device` where that device cannot be used; `Torch` where nothing was computed on it yet.
    pub fn of(index: usize) -> Result<Self> {
        Device::Cuda(index).resolve()?;
        let [allocated, peak_allocated, reserved, peak_reserved] = ffi::cuda_memory(index)?;
        Ok(Self { allocated, peak_allocated, reserved, peak_reserved })
    }

    /// Counts both peaks anew, from what is held now.
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub fn reset_peak(index: usize) -> Result<()> {
        Device::Cuda(index).resolve()?;
        ffi::reset_cuda_memory_peak(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use tch::{Kind, Tensor};

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        for error in [CudaMemory::of(9999).unwrap_err(), CudaMemory::reset_peak(9999).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Device);
        }
    }

    #[test]
    fn cuda_counts_a_tensor() {
        let Ok(device) = Device::Cuda(0).resolve() else { return };
        const BYTES: u64 = 4 << 20;
        let block = || Tensor::zeros([1 << 20], (Kind::Float, device.torch()));
        let _kept = block();
        CudaMemory::reset_peak(0).unwrap();
        let before = CudaMemory::of(0).unwrap();
        drop((block(), block()));
        let after = CudaMemory::of(0).unwrap();
        assert!(before.allocated >= BYTES);
        // Tests beside this one may hold more.
        assert!(after.peak_allocated >= 2 * BYTES && after.peak_reserved >= after.peak_allocated, "{after:?}");
    }
}
