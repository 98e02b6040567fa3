//! Measures how much memory libtorch needs for a piece of work.

use super::linked;
use super::process::allowed;
use crate::error::Result;

/// Bytes that libtorch's allocators handed out during some work, on the CPU and CUDA together.
///
/// Excludes Rust's own memory and oneDNN's internal memory. Blocks allocated before do not count, even if they are
/// freed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryUse {
    /// Still held at the end.
    pub live: i64,
    /// Peak.
    pub peak: i64,
}

/// Runs `work` and returns the memory it used on this thread.
pub(crate) fn measure_memory<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, MemoryUse)> {
    let meter = MemoryMeter::begin()?;
    let result = work()?;
    Ok((result, meter.read()?))
}

/// Counts while it exists, on the thread that created it. Meters on one thread must end in reverse order.
pub(crate) struct MemoryMeter(linked::Meter);

impl MemoryMeter {
    pub fn begin() -> Result<Self> {
        linked::meter_begin(allowed().quiet_trials).map(Self)
    }

    /// Returns the usage so far.
    pub fn read(&self) -> Result<MemoryUse> {
        linked::meter_read(&self.0).map(|[live, peak]| MemoryUse { live, peak })
    }
}

impl Drop for MemoryMeter {
    fn drop(&mut self) {
        if let Err(error) = linked::meter_end(&mut self.0) {
            tracing::warn!(%error, "a memory meter cannot be ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    const BYTES: i64 = 250 * 1000 * 4;

    fn block() -> Tensor {
        Tensor::zeros([250, 1000], (Kind::Float, Device::Cpu))
    }

    #[test]
    fn a_tensor_is_counted_to_the_byte() {
        let (kept, used) = measure_memory(|| {
            let kept = block();
            drop((block(), block()));
            Ok(kept)
        })
        .unwrap();
        assert_eq!(kept.size(), [250, 1000]);
        assert_eq!(used, MemoryUse { live: BYTES, peak: 3 * BYTES });
    }

    /// Whether or not a meter has seen them before.
    #[test]
    fn blocks_from_before_do_not_count_when_they_are_freed() {
        let unseen = block();
        let (seen, _) = measure_memory(|| Ok(block())).unwrap();
        let (_, used) = measure_memory(|| {
            drop((unseen, seen));
            Ok(())
        })
        .unwrap();
        assert_eq!(used, MemoryUse { live: 0, peak: 0 });
    }

    #[test]
    fn meters_nest_and_what_fails_ends_them() {
        let outer = MemoryMeter::begin().unwrap();
        let failed = measure_memory(|| Tensor::f_zeros([-1], (Kind::Float, Device::Cpu)).map_err(Into::into));
        assert!(failed.is_err());
        let kept = block();
        assert_eq!(outer.read().unwrap().live, BYTES);
        drop(kept);
        assert_eq!(outer.read().unwrap(), MemoryUse { live: 0, peak: BYTES });
    }
}
