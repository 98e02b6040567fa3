//! Queries CUDA's runtime library about drivers and devices.
//!
//! libtorch loads that library into the process if it supports CUDA. Its functions are looked up by name, since a
//! program linked against a CPU-only libtorch has none of them.

use std::fmt;

/// A version in CUDA's encoding: 13.0 is 13,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CudaVersion(pub i32);

impl fmt::Display for CudaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// NVIDIA's compute capability: 7.5 for Turing, 8.0 for Ampere, 9.0 for Hopper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Capability {
    pub major: i32,
    pub minor: i32,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Answers of the runtime; each is `None` if there is no runtime or it does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CudaRuntime {
    /// The newest CUDA version that the driver supports; 0.0 without a driver.
    pub driver: Option<CudaVersion>,
    /// The CUDA version that this libtorch was built with.
    pub built_with: Option<CudaVersion>,
    /// Why no device can be used.
    pub trouble: Option<String>,
}

#[cfg(all(target_os = "linux", not(feature = "doc-only")))]
mod linux {
    use std::ffi::{CStr, c_char, c_int, c_void};
    use std::ptr::null_mut;

    use super::{Capability, CudaRuntime, CudaVersion};

    const CAPABILITY_MAJOR: c_int = 75;
    const CAPABILITY_MINOR: c_int = 76;

    unsafe extern "C" {
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    }

    type GetNumber = unsafe extern "C" fn(*mut c_int) -> c_int;
    type GetAttribute = unsafe extern "C" fn(*mut c_int, c_int, c_int) -> c_int;
    type GetBusId = unsafe extern "C" fn(*mut c_char, c_int, c_int) -> c_int;
    type GetText = unsafe extern "C" fn(c_int) -> *const c_char;

    fn found(name: &CStr) -> Option<*mut c_void> {
        // SAFETY: a null handle is RTLD_DEFAULT on Linux; the name is NUL-terminated.
        let symbol = unsafe { dlsym(null_mut(), name.as_ptr()) };
        (!symbol.is_null()).then_some(symbol)
    }

    /// Returns the number from a function `cudaError_t f(int *)`, or its error.
    fn number(name: &CStr) -> Option<Result<c_int, c_int>> {
        // SAFETY: CUDA's runtime has had functions of this type under these names in all its releases.
        let function = unsafe { std::mem::transmute::<*mut c_void, GetNumber>(found(name)?) };
        let mut value = 0;
        // SAFETY: the pointer is to a local that lives through the call.
        let code = unsafe { function(&mut value) };
        Some(if code == 0 { Ok(value) } else { Err(code) })
    }

    fn words(code: c_int) -> Option<String> {
        // SAFETY: as in `number`.
        let function = unsafe { std::mem::transmute::<*mut c_void, GetText>(found(c"cudaGetErrorString")?) };
        // SAFETY: takes a plain value; gives a string that lives as long as the library, or null.
        let text = unsafe { function(code) };
        // SAFETY: checked for null; NUL-terminated.
        (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
    }

    pub fn bus_id(index: usize) -> Option<String> {
        const LONGEST: usize = 64;
        // SAFETY: as in `number`.
        let function = unsafe { std::mem::transmute::<*mut c_void, GetBusId>(found(c"cudaDeviceGetPCIBusId")?) };
        let (index, mut text) = (c_int::try_from(index).ok()?, [0u8; LONGEST]);
        // SAFETY: the pointer is to a local of that length, one byte of which stays 0, that lives through the call.
        let code = unsafe { function(text.as_mut_ptr().cast(), LONGEST as c_int - 1, index) };
        let text = CStr::from_bytes_until_nul(&text).ok()?.to_str().ok()?;
        (code == 0).then(|| text.to_owned())
    }

    pub fn runtime() -> CudaRuntime {
        let version = |name| number(name).and_then(Result::ok).map(CudaVersion);
        CudaRuntime {
            driver: version(c"cudaDriverGetVersion"),
            built_with: version(c"cudaRuntimeGetVersion"),
            trouble: number(c"cudaGetDeviceCount").and_then(Result::err).and_then(words),
        }
    }

    pub fn capability(index: usize) -> Option<Capability> {
        // SAFETY: as in `number`.
        let function = unsafe { std::mem::transmute::<*mut c_void, GetAttribute>(found(c"cudaDeviceGetAttribute")?) };
        let index = c_int::try_from(index).ok()?;
        let attribute = |which| {
            let mut value = 0;
            // SAFETY: the pointer is to a local that lives through the call.
            let code = unsafe { function(&mut value, which, index) };
            (code == 0).then_some(value)
        };
        Some(Capability { major: attribute(CAPABILITY_MAJOR)?, minor: attribute(CAPABILITY_MINOR)? })
    }
}

/// Queries CUDA's runtime.
pub(crate) fn cuda_runtime() -> CudaRuntime {
    #[cfg(all(target_os = "linux", not(feature = "doc-only")))]
    return linux::runtime();
    #[cfg(not(all(target_os = "linux", not(feature = "doc-only"))))]
    CudaRuntime::default()
}

/// Returns the compute capability of the device with this index; `None` if there is no such device or no runtime.
pub(crate) fn cuda_capability(index: usize) -> Option<Capability> {
    #[cfg(all(target_os = "linux", not(feature = "doc-only")))]
    return linux::capability(index);
    #[cfg(not(all(target_os = "linux", not(feature = "doc-only"))))]
    {
        let _ = index;
        None
    }
}

/// Returns the PCI bus ID of the device with this index, such as `0000:3b:00.0`; `None` if there is no such device or
/// no runtime.
pub(crate) fn cuda_bus_id(index: usize) -> Option<String> {
    #[cfg(all(target_os = "linux", not(feature = "doc-only")))]
    return linux::bus_id(index);
    #[cfg(not(all(target_os = "linux", not(feature = "doc-only"))))]
    {
        let _ = index;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_as_people_know_them() {
        assert_eq!(CudaVersion(13_000).to_string(), "13.0");
        assert_eq!(CudaVersion(12_080).to_string(), "12.8");
        assert_eq!(Capability { major: 7, minor: 5 }.to_string(), "7.5");
        assert!(Capability { major: 7, minor: 5 } < Capability { major: 8, minor: 0 });
    }

    /// Querying is harmless on any machine, and reports nothing without a device.
    #[test]
    fn a_device_that_is_not_there_has_no_capability() {
        assert_eq!(cuda_capability(9999), None);
        assert_eq!(cuda_capability(usize::MAX), None);
        assert_eq!((cuda_bus_id(9999), cuda_bus_id(usize::MAX)), (None, None));
        if !tch::Cuda::is_available() {
            let runtime = cuda_runtime();
            assert!(runtime.built_with.is_none() || runtime.trouble.is_some(), "{runtime:?}");
        }
    }
}
