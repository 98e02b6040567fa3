//! The number of threads that libtorch uses for a calling thread.

use std::marker::PhantomData;

use super::linked;

/// A guard: while it exists, libtorch uses this many threads for the calling thread's work, whatever the process-wide
/// setting.
#[derive(Debug)]
pub(crate) struct SharedAmong {
    before: i32,
    /// The number belongs to a thread, so this must not be dropped on another one.
    stays: PhantomData<*const ()>,
}

impl SharedAmong {
    /// Starts with `threads`, which must be at least one.
    pub fn begin(threads: usize) -> Self {
        let threads = i32::try_from(threads.max(1)).unwrap_or(i32::MAX);
        Self { before: linked::share_among(threads), stays: PhantomData }
    }
}

impl Drop for SharedAmong {
    fn drop(&mut self) {
        if self.before > 0 {
            linked::share_among(self.before);
        }
    }
}

/// Uses a single thread for work that libtorch otherwise splits by the number of threads, so that the last bits depend
/// on it: sums, and functions computed differently at the ends of a split.
pub(crate) fn on_one_thread<T>(work: impl FnOnce() -> T) -> T {
    let _alone = SharedAmong::begin(1);
    work()
}
