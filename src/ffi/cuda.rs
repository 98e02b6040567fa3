//! Loads libtorch's CUDA library on first use, if it is next to the CPU library.
//!
//! The linker drops `libtorch_cuda.so` from a program that uses none of its symbols, and a program built on a machine
//! without CUDA does not refer to it at all. Loading it explicitly lets one binary serve both.
//!
//! libtorch remembers permanently what it found when it first looked for CUDA, and it looks whenever gradients are
//! computed. So nothing in this crate may query libtorch about CUDA, or compute gradients, before [`cuda_library`].

use std::path::PathBuf;
use std::sync::OnceLock;

use super::process::allowed;

/// Status of `libtorch_cuda.so`.
#[derive(Debug, Clone)]
pub(crate) enum CudaLibrary {
    /// Loaded.
    Loaded,
    /// Not at this path: this libtorch is the CPU build.
    Missing(PathBuf),
    /// Present, but the dynamic loader rejected it with this message.
    Refused(String),
    /// Not loaded at the user's request.
    Declined,
    /// Not supported on this operating system.
    Unknown,
}

/// Loads the library on the first call, and returns its status to every caller.
pub(crate) fn cuda_library() -> &'static CudaLibrary {
    static STATE: OnceLock<CudaLibrary> = OnceLock::new();
    STATE.get_or_init(|| match allowed().load_cuda {
        true => load(),
        false => CudaLibrary::Declined,
    })
}

/// Returns whether libtorch finds CUDA devices.
pub(crate) fn cuda_is_available() -> bool {
    cuda_library();
    tch::Cuda::is_available()
}

#[cfg(all(target_os = "linux", not(feature = "doc-only")))]
use linux::load;

#[cfg(not(all(target_os = "linux", not(feature = "doc-only"))))]
fn load() -> CudaLibrary {
    CudaLibrary::Unknown
}

#[cfg(all(target_os = "linux", not(feature = "doc-only")))]
mod linux {
    use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    use std::path::Path;

    use super::CudaLibrary;

    const RTLD_NOW: c_int = 2;
    const RTLD_GLOBAL: c_int = 0x100;

    #[repr(C)]
    struct DlInfo {
        file: *const c_char,
        base: *mut c_void,
        symbol: *const c_char,
        address: *mut c_void,
    }

    unsafe extern "C" {
        fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
        fn dlerror() -> *const c_char;
        fn dladdr(address: *const c_void, info: *mut DlInfo) -> c_int;
        #[link_name = "_ZN2at13globalContextEv"]
        fn at_global_context() -> *mut c_void;
    }

    /// Tests run in parallel in any order, and one that computes gradients would hide CUDA from later ones.
    #[cfg(test)]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOADED_BEFORE_TESTS: extern "C" fn() = load_before_tests;

    #[cfg(test)]
    extern "C" fn load_before_tests() {
        super::cuda_library();
    }

    pub fn load() -> CudaLibrary {
        // SAFETY: DlInfo is plain data for which zero bytes are valid; dladdr fills it.
        let mut info: DlInfo = unsafe { std::mem::zeroed() };
        // SAFETY: the address is that of a function of libtorch_cpu.so; `info` is writable.
        if unsafe { dladdr(at_global_context as *const c_void, &mut info) } == 0 || info.file.is_null() {
            return CudaLibrary::Unknown;
        }
        // SAFETY: after success `file` is a NUL-terminated string that the loader keeps.
        let cpu = Path::new(OsStr::from_bytes(unsafe { CStr::from_ptr(info.file) }.to_bytes()));
        let path = cpu.with_file_name("libtorch_cuda.so");
        if !path.exists() {
            return CudaLibrary::Missing(path);
        }
        let Ok(name) = CString::new(path.into_os_string().into_vec()) else {
            return CudaLibrary::Unknown;
        };
        // SAFETY: a NUL-terminated path; the library's own constructors are libtorch's.
        if unsafe { dlopen(name.as_ptr(), RTLD_NOW | RTLD_GLOBAL) }.is_null() {
            return CudaLibrary::Refused(last_error());
        }
        CudaLibrary::Loaded
    }

    fn last_error() -> String {
        // SAFETY: no preconditions; the string lives until the next call of the loader on this thread.
        let text = unsafe { dlerror() };
        if text.is_null() {
            return "unknown reason".into();
        }
        // SAFETY: non-null answers are NUL-terminated.
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}
