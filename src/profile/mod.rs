//! libtorch's profiler, its counters of device memory, and how it was built.

mod memory;
mod trace;

pub use memory::CudaMemory;
pub use trace::trace;

use crate::error::Result;
use crate::ffi;

/// Describes the libtorch in use: its version, compiler and libraries; with CUDA also the versions of the runtime and of
/// cuDNN. What `torch.__config__.show()` gives in Python.
///
/// ```
/// assert!(geolearn::profile::libtorch_config()?.contains("TORCH_VERSION"));
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// What libtorch reports.
pub fn libtorch_config() -> Result<String> {
    // libtorch describes CUDA where it has it by now.
    ffi::cuda_library();
    ffi::libtorch_config()
}
