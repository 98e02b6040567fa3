//! Switches of libtorch that decide how it computes.
//!
//! Those of CUDA belong to the whole process, while two models may train in it at once. So a [`Switches`] is held for one
//! piece of work, such as a training step: work that wants the same switches runs side by side, other work waits, and the
//! last holder puts back what the process had before. Who waits does so in line, and whoever comes later stands behind: else
//! two trainings whose steps overlap would keep a translation waiting until one of them ends. For that no holder may wait for
//! another thread that holds them as well.

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

/// Runs `work` with the operators that stand it cast to bfloat16, such as convolutions, on this thread.
pub(crate) fn autocast<T>(on: bool, device: tch::Device, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _cast = if on { Some(Cast(linked::autocast_begin(device.is_cuda(), true)?)) } else { None };
    work()
}

/// Runs `work` without casts, whatever stands around it.
pub(crate) fn without_autocast<T>(device: tch::Device, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _cast = Cast(linked::autocast_begin(device.is_cuda(), false)?);
    work()
}

struct Cast(OldAutocast);

impl Drop for Cast {
    fn drop(&mut self) {
        if let Err(error) = linked::autocast_end(&self.0) {
            tracing::warn!(%error, "autocast cannot be put back");
        }
    }
}

/// What has to come out the same, to the bit, whenever it is computed from the same numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Repeats {
    /// What the process asks for.
    #[default]
    AsSet,
    /// Convolutions, which is enough for a pass without gradients: nothing else in the networks adds up in an order of
    /// chance on the way forward.
    Convolutions,
    /// Everything: operators that have no such form are refused.
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

/// How CUDA is to compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Arithmetic {
    /// Whether inputs of convolutions are rounded to TF32. Products of matrices never are.
    pub tf32: bool,
    pub repeats: Repeats,
    /// Whether cuDNN times its algorithms for each new shape; otherwise it is as the process has it. Never where
    /// convolutions are to repeat.
    pub search: bool,
}

impl Arithmetic {
    /// The switches, where those of the process are `now`.
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
            // A search may choose differently every time; and nothing here reads memory that it has not written.
            bits &= !(SEARCH | FILL_NEW_MEMORY);
        }
        bits
    }
}

/// What the holders of the switches share.
struct Shared {
    holders: usize,
    /// The switches that are set, while there are holders.
    set: i32,
    /// What the process had before the first of them.
    before: i32,
    /// The tickets of those who wait, in the order in which they came.
    line: VecDeque<u64>,
    next_ticket: u64,
}

impl Shared {
    /// Whether who wants this can be one of the holders now.
    fn suits(&self, wanted: Arithmetic) -> bool {
        self.holders == 0 || self.set == wanted.bits(self.before)
    }
}

static SHARED: Mutex<Shared> =
    Mutex::new(Shared { holders: 0, set: 0, before: 0, line: VecDeque::new(), next_ticket: 0 });
static FREED: Condvar = Condvar::new();

thread_local! {
    /// What this thread asked for last and still holds.
    static HELD: Cell<Option<Arithmetic>> = const { Cell::new(None) };
}

/// The arithmetic of CUDA, as it was asked for, while this lives. It stays on the thread that asked.
///
/// On a thread that holds another arithmetic already, that one is given up until this ends.
#[derive(Debug)]
pub(crate) struct Switches {
    outer: Option<Arithmetic>,
    on_this_thread: std::marker::PhantomData<*const ()>,
}

impl Switches {
    /// Waits until nobody computes in another way.
    pub fn hold(wanted: Arithmetic) -> Result<Self> {
        let outer = HELD.get();
        if outer.is_some() {
            leave();
        }
        if let Err(error) = enter(wanted) {
            // Nothing was changed, so what was held before can be held again.
            outer.map_or(Ok(()), enter)?;
            return Err(error);
        }
        HELD.set(Some(wanted));
        Ok(Self { outer, on_this_thread: std::marker::PhantomData })
    }

    /// The same on a CUDA device; nothing on others, which have no such switches.
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
            tracing::warn!(%error, "libtorch's switches cannot be set again");
        }
    }
}

fn shared() -> MutexGuard<'static, Shared> {
    // It is whole whenever the lock is free.
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
    // Who is next in line may want the same.
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
        tracing::warn!(%error, "libtorch's switches cannot be put back");
    }
    FREED.notify_all();
}

/// Whether operators are refused that have no form whose result is the same every time.
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

    /// A weight that moves between two pieces of work is cast again, also where the caller casts around both.
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

    /// One test, because the switches are those of the process. No other test of this crate's library sets them on a
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

    /// Each sees what it asked for all the while that it computes, whatever the others ask for.
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

    /// One who could compute beside the holder waits all the same where another waits longer.
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
