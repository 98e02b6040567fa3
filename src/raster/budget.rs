//! A memory budget for the samples of images, shared by all threads that decode.
//!
//! Each image stays within its own [`Limits`](super::Limits); without a shared budget, every thread could use that much
//! at once.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// The memory in use.
pub(crate) struct Budget {
    taken: Mutex<Taken>,
    given_back: Condvar,
}

struct Taken {
    bytes: u64,
    /// The peak.
    most: u64,
}

/// A reservation of memory, held until it is dropped, by the thread that made it.
pub(crate) struct Turn<'a> {
    budget: &'a Budget,
    bytes: u64,
    _of_one_thread: PhantomData<Rc<()>>,
}

thread_local! {
    static TURNS: Cell<usize> = const { Cell::new(0) };
}

impl Budget {
    pub const fn new() -> Self {
        Self { taken: Mutex::new(Taken { bytes: 0, most: 0 }), given_back: Condvar::new() }
    }

    /// Returns the budget of the whole process.
    pub fn process() -> &'static Self {
        static PROCESS: Budget = Budget::new();
        &PROCESS
    }

    /// Waits until all threads together would use at most `limit` bytes, or no other thread has a reservation. A thread
    /// that already has one does not wait, since others may be waiting for it.
    pub fn turn(&self, bytes: u64, limit: u64) -> Turn<'_> {
        let has_turn = TURNS.with(|turns| turns.replace(turns.get() + 1)) > 0;
        let mut taken = self.lock();
        while !has_turn && taken.bytes > 0 && taken.bytes.saturating_add(bytes) > limit {
            taken = self.given_back.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        taken.bytes = taken.bytes.saturating_add(bytes);
        taken.most = taken.most.max(taken.bytes);
        Turn { budget: self, bytes, _of_one_thread: PhantomData }
    }

    /// Returns the peak of the memory in use.
    #[cfg(test)]
    pub fn most(&self) -> u64 {
        self.lock().most
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // The contents are consistent after each step, even if a thread panicked.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Releases what is no longer needed.
    pub fn shrink_to(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        let mut taken = self.budget.lock();
        taken.bytes = taken.bytes.saturating_sub(self.bytes - bytes);
        self.bytes = bytes;
        self.budget.given_back.notify_all();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.shrink_to(0);
        TURNS.with(|turns| turns.set(turns.get().saturating_sub(1)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn threads_together_stay_within_the_limit() {
        let (budget, done) = (Budget::new(), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for bytes in [40, 60, 70, 30, 100, 10, 90, 50] {
                let (budget, done) = (&budget, &done);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let mut turn = budget.turn(bytes, 100);
                        std::thread::yield_now();
                        turn.shrink_to(bytes / 2);
                        std::thread::yield_now();
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 400);
        let taken = budget.lock();
        assert!(taken.bytes == 0 && taken.most <= 100, "{} of {}", taken.bytes, taken.most);
    }

    #[test]
    fn nobody_waits_for_itself_or_for_more_than_there_is() {
        let budget = Budget::new();
        let large = budget.turn(1000, 100);
        let nested = budget.turn(1000, 100);
        drop((large, nested));
        assert_eq!(budget.lock().bytes, 0);
    }
}
