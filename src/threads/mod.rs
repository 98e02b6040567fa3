//! How many threads a piece of work on the processor is shared among.
//!
//! Threads of libtorch wait for each other by spinning, which is the fastest way as long as each has a core of its own, and by far
//! the slowest where another program has taken one. So work that comes again and again is tried on fewer threads now and then,
//! and goes on with what was the fastest. The results are the same bits: nothing of it depends on the number of threads.

mod pace;

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, SharedAmong};
use pace::Pace;

/// Returns the most threads that libtorch shares a piece of work among, on the processor.
///
/// From the start as many as there are real cores, and no more than the process may use: of a container's share too, which
/// libtorch does not look at. Training and translation in f32 take fewer while other programs keep the cores busy: now and then a
/// step is tried on another number, and the fastest is kept, with the same results. `OMP_NUM_THREADS` in the environment and
/// [`set_num_threads`] fix the number.
///
/// ```
/// assert!(geolearn::runtime::num_threads() >= 1);
/// ```
pub fn num_threads() -> usize {
    settle();
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// Lets libtorch share a piece of work among exactly so many threads, in the whole process. More than there are real cores makes
/// everything slower. Training and translation in f32 on the processor give the same bits with any number.
///
/// ```
/// let before = geolearn::runtime::num_threads();
/// geolearn::runtime::set_num_threads(1)?;
/// assert_eq!(geolearn::runtime::num_threads(), 1);
/// geolearn::runtime::set_num_threads(before)?;
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// `Usage` for 0, and for more than 1,024.
pub fn set_num_threads(threads: usize) -> Result<()> {
    const MOST: usize = 1024;
    settle();
    match i32::try_from(threads) {
        Ok(count) if (1..=MOST).contains(&threads) => {
            IS_FIXED.store(true, Ordering::Relaxed);
            tch::set_num_threads(count);
            Ok(())
        }
        _ => Err(Error::new(ErrorKind::Usage, "this cannot be a number of threads")
            .expected(format!("1 to {MOST}"))
            .found(threads)),
    }
}

/// Whether the user has chosen the number, so that no other is tried.
static IS_FIXED: AtomicBool = AtomicBool::new(false);

/// Gives libtorch no more threads than the process may use; once, before anything is computed, unless the user does not want
/// that.
pub(crate) fn settle() {
    static SETTLED: Once = Once::new();
    SETTLED.call_once(|| {
        if !ffi::allowed().settle_threads || std::env::var_os("OMP_NUM_THREADS").is_some() {
            IS_FIXED.store(true, Ordering::Relaxed);
            return;
        }
        let most = std::thread::available_parallelism().ok().and_then(|n| i32::try_from(n.get()).ok());
        if let Some(most) = most.filter(|&most| most < tch::get_num_threads()) {
            tch::set_num_threads(most);
        }
    });
}

/// Work that takes about the same time, pixel by pixel, each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Job {
    pub name: &'static str,
    /// Of the networks that do it.
    pub parameters: usize,
    pub pixels: usize,
}

impl Job {
    /// Jobs of one kind share what was found; small images are not like large ones.
    fn kind(self) -> Self {
        Self { pixels: self.pixels.max(1).ilog2() as usize, ..self }
    }
}

/// More kinds than a program has; only so that nothing grows without end.
const MOST_KINDS: usize = 1000;

/// Does work on the processor on as many threads as were the fastest for its kind of late.
///
/// Its results must not depend on the number of threads. Work within such work runs as it is.
pub(crate) fn at_best_number<T>(job: Job, work: impl FnOnce() -> T) -> T {
    let most = num_threads();
    if most < 2 || IS_FIXED.load(Ordering::Relaxed) {
        return work();
    }
    let Some(_inside) = Inside::enter() else {
        return work();
    };
    let kind = (job.kind(), most);
    let threads = paces().entry(kind).or_insert_with(|| Pace::new(most)).threads();
    let _threads = SharedAmong::begin(threads);
    let begin = Instant::now();
    let made = work();
    let seconds = begin.elapsed().as_secs_f64();
    if let Some(pace) = paces().get_mut(&kind) {
        pace.took(threads, seconds, job.pixels.max(1) as f64);
    }
    made
}

/// By the kind of work and the most threads, which a program may change.
type Paces = HashMap<(Job, usize), Pace>;

fn paces() -> MutexGuard<'static, Paces> {
    static PACES: OnceLock<Mutex<Paces>> = OnceLock::new();
    let mut paces = PACES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if paces.len() > MOST_KINDS {
        paces.clear();
    }
    paces
}

thread_local! {
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, this thread does work whose number of threads is settled.
struct Inside;

impl Inside {
    fn enter() -> Option<Self> {
        (!IS_INSIDE.replace(true)).then_some(Self)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        IS_INSIDE.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Changes nothing that the tests beside it could see.
    #[test]
    fn threads_are_set_within_reason() {
        for wrong in [0, 1025, usize::MAX] {
            assert_eq!(set_num_threads(wrong).unwrap_err().kind(), ErrorKind::Usage);
        }
    }

    #[test]
    fn work_within_work_runs_as_it_is() {
        let outer = Inside::enter().unwrap();
        assert!(Inside::enter().is_none());
        drop(outer);
        assert!(Inside::enter().is_some());
    }
}
