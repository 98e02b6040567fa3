//! libtorch's profiler and memory counters.

mod memory;
mod trace;

pub use memory::CudaMemory;
pub use trace::profile;

use crate::error::Result;
use crate::ffi;

/// Describes the libtorch in use: its version, compiler and libraries; with CUDA also the versions of the runtime and of
/// cuDNN. What `torch.__config__.show()` gives in Python.
///
/// ```
/// assert!(geolearn::libtorch_config()?.contains("TORCH_VERSION"));
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
