//! Limits libtorch's caches of compiled convolutions on the CPU.
//!
//! oneDNN and the layer between it and libtorch each cache the code of 1,024 convolutions by image size, about 1 MiB
//! apiece, which images of many sizes fill: after 1, 60, 120 and 300 sizes of up to 500 pixels a process held 232, 556,
//! 642 and 795 MiB, and 232, 403, 545 and 413 with the limits below (measured with `tests/many_sizes.rs`). A training
//! step needs only a few dozen. libtorch exports no function to set the limits: oneDNN reads its own from the
//! environment at the first convolution, and the layer above at the first one of each thread.
//!
//! So the environment is the only way, and it must not be modified while another thread may read it. The only way to
//! ensure that is to modify it only while this thread is the only one. Values set by the user are kept, and child
//! processes inherit the result.

use std::env;

use super::variables::set_where_alone;

/// More than a training step uses; without caches a step with small chips took nearly twice as long.
const KEPT: &str = "128";
const OF_ONEDNN: &str = "ONEDNN_PRIMITIVE_CACHE_CAPACITY";
/// The older name, which oneDNN also accepts.
const OF_ONEDNN_BEFORE: &str = "DNNL_PRIMITIVE_CACHE_CAPACITY";
const OF_LIBTORCH: &str = "LRU_CACHE_CAPACITY";

/// Sets the limits that the user has not set, unless other threads are running.
pub(super) fn limit() {
    let is_set = |name| env::var_os(name).is_some();
    let of_onednn = !is_set(OF_ONEDNN) && !is_set(OF_ONEDNN_BEFORE);
    let missing: Vec<_> = [(OF_ONEDNN, of_onednn), (OF_LIBTORCH, !is_set(OF_LIBTORCH))]
        .into_iter()
        .filter_map(|(name, is_missing)| is_missing.then_some(name))
        .collect();
    if missing.is_empty() {
        return;
    }
    if !set_where_alone(&missing, KEPT) {
        tracing::info!("other threads are running, so libtorch's caches of compiled convolutions are not limited");
    }
}
