//! Limits of libtorch's caches of compiled convolutions on a processor.
//!
//! oneDNN and the layer between it and libtorch keep the code of 1,024 convolutions each, by the sizes of their images:
//! about 1 MiB apiece, which images of many sizes fill: after 1, 60, 120 and 300 sizes of up to 500 pixels a process held
//! 232, 556, 642 and 795 MiB, and 232, 403, 545 and 413 with the limits below (`tests/many_sizes.rs`, which has the
//! program). A training step needs some tens of them. libtorch exports no
//! function that sets the numbers; both are read from the environment at the first convolution. So they are put there
//! before `main`, while no other thread can be reading it. Numbers of the user's own stay, and child processes inherit
//! whatever holds.

use std::ffi::{CStr, c_char, c_int};

/// More than a training step uses.
const KEPT: &CStr = c"128";
const OF_ONEDNN: &CStr = c"ONEDNN_PRIMITIVE_CACHE_CAPACITY";
/// The older name, which oneDNN heeds too.
const OF_ONEDNN_BEFORE: &CStr = c"DNNL_PRIMITIVE_CACHE_CAPACITY";
const OF_LIBTORCH: &CStr = c"LRU_CACHE_CAPACITY";

unsafe extern "C" {
    fn getenv(name: *const c_char) -> *const c_char;
    fn setenv(name: *const c_char, value: *const c_char, overwrite: c_int) -> c_int;
}

/// To be called before `main`.
pub(super) fn limit() {
    // SAFETY: NUL-terminated strings; no other thread runs yet.
    unsafe {
        if getenv(OF_ONEDNN_BEFORE.as_ptr()).is_null() {
            setenv(OF_ONEDNN.as_ptr(), KEPT.as_ptr(), 0);
        }
        setenv(OF_LIBTORCH.as_ptr(), KEPT.as_ptr(), 0);
    }
}
