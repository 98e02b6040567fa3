//! libtorch settings that determine how it computes.
//!
//! The CUDA settings are global to the process, but two models may train in it at once. So a [`Switches`] guard is held
//! during one piece of work, such as a training step: work that needs the same settings runs concurrently, other work
//! waits, and the last holder restores the previous settings. Waiting is first come, first served; otherwise two
//! trainings with overlapping steps could keep a translation waiting until one of them ends. A holder must therefore
//! never wait for another thread that also holds or requests the settings.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::linked::{self, OldAutocast};
use crate::error::Result;

const MATRICES_IN_TF32: i32 = 1;
const CONVOLUTIONS_IN_TF32: i32 = 2;
const FIXED_ORDER: i32 = 4;
const FIXED_CONVOLUTIONS: i32 = 8;
const SEARCH: i32 = 16;
const FILL_NEW_MEMORY: i32 = 32;

/// Runs `work` on this thread with autocast to bfloat16, which covers operators such as convolutions.
pub(crate) fn autocast<T>(on: bool, device: tch::Device, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _cast = if on { Some(Cast(linked::autocast_begin(device.is_cuda(), true)?)) } else { None };
    work()
}

/// Runs `work` without autocast, whatever the surrounding setting.
pub(crate) fn without_autocast<T>(device: tch::Device, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _cast = Cast(linked::autocast_begin(device.is_cuda(), false)?);
    work()
}

struct Cast(OldAutocast);

impl Drop for Cast {
    fn drop(&mut self) {
        if let Err(error) = linked::autocast_end(&self.0) {
            tracing::warn!(%error, "cannot restore autocast");
        }
    }
}

/// What must be bit-reproducible.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// Whatever the process has set.
    #[default]
    AsSet,
    /// Convolutions. That suffices for a pass without gradients, since nothing else in the networks sums in a
    /// nondeterministic order in the forward direction.
    Convolutions,
    /// Everything: operators without a deterministic implementation are rejected.
    Everything,
}

impl Repeats {
    fn bits(self) -> i32 {
        match self {
            Self::AsSet => 0,
            Self::Convolutions => FIXED_CONVOLUTIONS,
            Self::Everything => FIXED_ORDER | FIXED_CONVOLUTIONS,
        }
    }
}

/// How CUDA computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Arithmetic {
    /// Whether inputs of convolutions are rounded to TF32. Inputs of matrix products never are.
    pub tf32: bool,
    pub repeats: Repeats,
    /// Whether cuDNN benchmarks its algorithms for each new shape; otherwise the process's setting applies. Never if
    /// convolutions must be reproducible.
    pub search: bool,
}

impl Arithmetic {
    /// Returns the settings to apply if those of the process are `now`.
    fn bits(self, now: i32) -> i32 {
        let mut bits = now & !(MATRICES_IN_TF32 | CONVOLUTIONS_IN_TF32);
        if self.tf32 {
            bits |= CONVOLUTIONS_IN_TF32;
        }
        if self.search {
            bits |= SEARCH;
        }
        bits |= self.repeats.bits();
        if bits & (FIXED_ORDER | FIXED_CONVOLUTIONS) != 0 {
            // A benchmark may choose differently every time; and nothing here reads uninitialized memory.
            bits &= !(SEARCH | FILL_NEW_MEMORY);
        }
        bits
    }
}

/// State shared by the holders of the settings.
struct Shared {
    holders: usize,
    /// The settings in effect while there are holders.
    set: i32,
    /// The settings before the first holder.
    before: i32,
    /// Tickets of the waiting threads, in order of arrival.
    line: VecDeque<u64>,
    next_ticket: u64,
}

impl Shared {
    /// Returns whether a thread that needs these settings can become a holder now.
    fn suits(&self, wanted: Arithmetic) -> bool {
        self.holders == 0 || self.set == wanted.bits(self.before)
    }
}

static SHARED: Mutex<Shared> =
    Mutex::new(Shared { holders: 0, set: 0, before: 0, line: VecDeque::new(), next_ticket: 0 });
static FREED: Condvar = Condvar::new();

thread_local! {
    /// The request that this thread currently holds.
    static HELD: Cell<Option<Arithmetic>> = const { Cell::new(None) };
}

/// A guard that keeps the requested CUDA settings in effect. It must stay on the thread that created it.
///
/// If the thread already holds other settings, they are released until this guard is dropped.
#[derive(Debug)]
pub(crate) struct Switches {
    outer: Option<Arithmetic>,
    on_this_thread: std::marker::PhantomData<*const ()>,
}

impl Switches {
    /// Waits until no other thread computes with different settings.
    pub fn hold(wanted: Arithmetic) -> Result<Self> {
        let outer = HELD.get();
        if outer.is_some() {
            leave();
        }
        if let Err(error) = enter(wanted) {
            // Nothing was changed, so the previous settings can be held again.
            outer.map_or(Ok(()), enter)?;
            return Err(error);
        }
        HELD.set(Some(wanted));
        Ok(Self { outer, on_this_thread: std::marker::PhantomData })
    }

    /// Does the same for a CUDA device, and nothing for others, which have no such settings.
    pub fn hold_on(device: tch::Device, wanted: Arithmetic) -> Result<Option<Self>> {
        if device.is_cuda() { Self::hold(wanted).map(Some) } else { Ok(None) }
    }
}

impl Drop for Switches {
    fn drop(&mut self) {
        leave();
        HELD.set(self.outer);
        if let Some(Err(error)) = self.outer.map(enter) {
            HELD.set(None);
            tracing::warn!(%error, "cannot set libtorch's switches again");
        }
    }
}

fn shared() -> MutexGuard<'static, Shared> {
    // The state is consistent whenever the lock is free.
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn enter(wanted: Arithmetic) -> Result<()> {
    let mut shared = shared();
    if !shared.line.is_empty() || !shared.suits(wanted) {
        shared = wait_in_line(shared, wanted);
    }
    if shared.holders == 0 {
        shared.before = linked::arithmetic()?;
        shared.set = wanted.bits(shared.before);
        linked::set_arithmetic(shared.set)?;
    }
    shared.holders += 1;
    Ok(())
}

fn wait_in_line(mut shared: MutexGuard<'static, Shared>, wanted: Arithmetic) -> MutexGuard<'static, Shared> {
    let ticket = shared.next_ticket;
    shared.next_ticket += 1;
    shared.line.push_back(ticket);
    while shared.line.front() != Some(&ticket) || !shared.suits(wanted) {
        shared = FREED.wait(shared).unwrap_or_else(PoisonError::into_inner);
    }
    shared.line.pop_front();
    // The next in line may need the same settings.
    FREED.notify_all();
    shared
}

fn leave() {
    let mut shared = shared();
    shared.holders = shared.holders.saturating_sub(1);
    if shared.holders > 0 {
        return;
    }
    if let Err(error) = linked::set_arithmetic(shared.before) {
        tracing::warn!(%error, "cannot restore libtorch's switches");
    }
    FREED.notify_all();
}

/// Returns whether operators without a deterministic implementation are rejected.
pub(crate) fn is_deterministic() -> bool {
    linked::arithmetic().is_ok_and(|bits| bits & FIXED_ORDER != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn convolutions_are_cast_inside_and_only_there() {
        let ones = |size: &[i64]| Tensor::ones(size, (Kind::Float, Device::Cpu));
        let (x, w) = (ones(&[1, 2, 8, 8]), ones(&[2, 2, 3, 3]));
        let kind = || x.conv2d(&w, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1).kind();
        let inner = || without_autocast(Device::Cpu, || Ok(kind()));
        let found = autocast(true, Device::Cpu, || Ok((kind(), inner()?, kind()))).unwrap();
        assert_eq!(found, (Kind::BFloat16, Kind::Float, Kind::BFloat16));
        assert_eq!(autocast(false, Device::Cpu, || Ok(kind())).unwrap(), Kind::Float);
        assert_eq!(kind(), Kind::Float);
    }

    /// A weight that is updated between two pieces of work is cast again, even if the caller's autocast encloses both.
    #[test]
    fn casts_do_not_outlive_the_work() {
        let x = Tensor::ones([1, 1, 4, 4], (Kind::Float, Device::Cpu));
        let w = Tensor::ones([1, 1, 3, 3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let made = || {
            let conv = || Ok(x.conv2d(&w, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1));
            autocast(true, Device::Cpu, conv).unwrap().double_value(&[0, 0, 0, 0])
        };
        let both = autocast(true, Device::Cpu, || {
            let first = made();
            let _ = tch::no_grad(|| w.shallow_clone().fill_(2.0));
            Ok([first, made()])
        });
        assert_eq!(both.unwrap(), [9.0, 18.0]);
    }

    fn switches() -> i32 {
        linked::arithmetic().unwrap()
    }

    const TF32: Arithmetic = Arithmetic { tf32: true, repeats: Repeats::AsSet, search: true };
    const SAME: Arithmetic = Arithmetic { tf32: false, repeats: Repeats::Everything, search: true };
    const FORWARD: Arithmetic = Arithmetic { tf32: false, repeats: Repeats::Convolutions, search: true };

    /// A single test, because the settings are global to the process. No other test of the library changes them on a
    /// machine without CUDA.
    #[test]
    fn switches_are_shared_by_those_who_agree_and_put_back() {
        let before = switches();
        let held = Switches::hold(SAME).unwrap();
        assert_eq!(switches(), SAME.bits(before));
        assert_eq!(switches() & (MATRICES_IN_TF32 | CONVOLUTIONS_IN_TF32 | SEARCH | FILL_NEW_MEMORY), 0);
        assert!(is_deterministic());
        {
            let _inner = Switches::hold(TF32).unwrap();
            assert_eq!(switches() & (CONVOLUTIONS_IN_TF32 | SEARCH), CONVOLUTIONS_IN_TF32 | SEARCH);
            let _same_again = Switches::hold(TF32).unwrap();
        }
        {
            let _inner = Switches::hold(FORWARD).unwrap();
            assert_eq!(switches() & (FIXED_CONVOLUTIONS | FIXED_ORDER | SEARCH), FIXED_CONVOLUTIONS);
            assert!(!is_deterministic());
        }
        assert_eq!(switches(), SAME.bits(before));
        drop(held);
        assert_eq!(switches(), before);
        each_sees_its_own(before);
        assert_eq!(switches(), before);
        who_came_first_is_first();
        assert_eq!(switches(), before);
    }

    /// Each thread sees its own settings for as long as it computes, whatever the others request.
    fn each_sees_its_own(before: i32) {
        let work = |wanted: Arithmetic| {
            for _ in 0..200 {
                let _held = Switches::hold(wanted).unwrap();
                for _ in 0..20 {
                    assert_eq!(switches(), wanted.bits(before));
                    std::thread::yield_now();
                }
            }
        };
        std::thread::scope(|scope| {
            for wanted in [TF32, SAME, TF32, FORWARD] {
                scope.spawn(move || work(wanted));
            }
        });
    }

    /// A thread that could join the holders still waits if another has been waiting longer.
    fn who_came_first_is_first() {
        let order = Mutex::new(Vec::new());
        let work = |wanted: Arithmetic, name: &'static str| {
            let _held = Switches::hold(wanted).unwrap();
            order.lock().unwrap().push(name);
        };
        let wait_for_line_of = |length: usize| {
            while shared().line.len() < length {
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            let held = Switches::hold(TF32).unwrap();
            scope.spawn(|| work(SAME, "same"));
            wait_for_line_of(1);
            scope.spawn(|| work(TF32, "tf32"));
            wait_for_line_of(2);
            drop(held);
        });
        assert_eq!(order.into_inner().unwrap(), ["same", "tf32"]);
    }
}
