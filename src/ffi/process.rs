//! What the crate may change in its process.

use std::sync::OnceLock;

#[cfg(target_os = "linux")]
use super::caches;

/// The permitted changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Load `libtorch_cuda.so`.
    pub load_cuda: bool,
    /// Replace libtorch's allocator of main memory when a model trains.
    pub keep_memory: bool,
    /// Limit libtorch to the threads that the process may use.
    pub settle_threads: bool,
    /// Limit the caches of compiled convolutions through environment variables.
    pub limit_caches: bool,
    /// Suppress libtorch's warnings while memory is counted.
    pub quiet_trials: bool,
}

impl Default for Allowed {
    fn default() -> Self {
        Self { load_cuda: true, keep_memory: true, settle_threads: true, limit_caches: true, quiet_trials: true }
    }
}

static ALLOWED: OnceLock<Allowed> = OnceLock::new();

/// Sets the permitted changes permanently. Returns false if they were already set.
pub(crate) fn allow(wanted: Allowed) -> bool {
    let mut is_first = false;
    ALLOWED.get_or_init(|| {
        is_first = true;
        settled(wanted)
    });
    is_first
}

/// Returns the permitted changes: all, unless the user has chosen otherwise before the first call.
///
/// Everything that creates tensors calls this first, as do readers of models: libtorch starts threads as soon as it
/// fills a large tensor.
pub(crate) fn allowed() -> Allowed {
    *ALLOWED.get_or_init(|| settled(Allowed::default()))
}

/// Makes the changes that must come before any computation.
fn settled(allowed: Allowed) -> Allowed {
    #[cfg(target_os = "linux")]
    if allowed.limit_caches {
        caches::limit();
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_stays() {
        let before = allowed();
        assert!(!allow(Allowed { load_cuda: !before.load_cuda, ..before }));
        assert_eq!(allowed(), before);
    }
}
