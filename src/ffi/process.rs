//! What the crate may change of the process that it is in.

use std::sync::OnceLock;

#[cfg(target_os = "linux")]
use super::caches;

/// What may be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// Loading `libtorch_cuda.so`.
    pub load_cuda: bool,
    /// Replacing libtorch's allocator of main memory when a model trains.
    pub keep_memory: bool,
    /// Giving libtorch no more threads than the process may use.
    pub settle_threads: bool,
    /// Limiting what is kept of convolutions that were compiled, through the environment.
    pub limit_caches: bool,
    /// Silencing libtorch's warnings while memory is counted.
    pub quiet_trials: bool,
}

impl Default for Allowed {
    fn default() -> Self {
        Self { load_cuda: true, keep_memory: true, settle_threads: true, limit_caches: true, quiet_trials: true }
    }
}

static ALLOWED: OnceLock<Allowed> = OnceLock::new();

/// Settles what may be changed, for good. Returns false where that was settled before.
pub(crate) fn allow(wanted: Allowed) -> bool {
    let mut is_first = false;
    ALLOWED.get_or_init(|| {
        is_first = true;
        settled(wanted)
    });
    is_first
}

/// What may be changed: everything, unless the user has said otherwise before the first call.
///
/// Whatever makes tensors calls this first, as do readers of models: libtorch starts threads as soon as it fills a large one.
pub(crate) fn allowed() -> Allowed {
    *ALLOWED.get_or_init(|| settled(Allowed::default()))
}

/// Does what must come before anything is computed.
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
