//! The number of threads that a calling thread shares its work among.

use std::marker::PhantomData;

use super::linked;

/// While this lives, libtorch shares what this thread computes among so many threads, whatever the process has been given.
#[derive(Debug)]
pub(crate) struct SharedAmong {
    before: i32,
    /// The number is that of a thread, so this must not be dropped on another.
    stays: PhantomData<*const ()>,
}

impl SharedAmong {
    /// Begins with `threads`, of which there must be one at least.
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

/// Does on one thread what libtorch else cuts into shares by their number, so that the last bits depend on it: sums, and functions
/// that it computes otherwise at the ends of shares.
pub(crate) fn on_one_thread<T>(work: impl FnOnce() -> T) -> T {
    let _alone = SharedAmong::begin(1);
    work()
}
