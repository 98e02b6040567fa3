//! Keeps memory between training steps.

use super::linked;
use super::process::allowed;
use crate::error::Result;

/// A guard: while it exists, memory of large CPU tensors is kept and reused for tensors of about the same size, in the
/// whole process, unless the user has opted out.
#[derive(Debug)]
pub(crate) struct KeptMemory {
    is_kept: bool,
}

impl KeptMemory {
    pub fn begin() -> Result<Self> {
        let is_kept = allowed().keep_memory;
        if is_kept {
            linked::keep_begin()?;
        }
        Ok(Self { is_kept })
    }
}

impl Drop for KeptMemory {
    fn drop(&mut self) {
        if self.is_kept
            && let Err(error) = linked::keep_end()
        {
            tracing::warn!(%error, "cannot release memory that was kept for training");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::MemoryMeter;
    use tch::{Device, Kind, Tensor};

    /// Cached memory does not count as used, and old contents of a block do not show.
    #[test]
    fn tensors_are_what_they_are_without_it() {
        let meter = MemoryMeter::begin().unwrap();
        let _kept = KeptMemory::begin().unwrap();
        for round in 0..3 {
            let x = Tensor::full([1 << 20], f64::from(round), (Kind::Float, Device::Cpu));
            assert_eq!(x.mean(Kind::Float).double_value(&[]), f64::from(round));
            assert_eq!(Tensor::zeros([1 << 20], (Kind::Float, Device::Cpu)).max().double_value(&[]), 0.0);
            assert!(meter.read().unwrap().live >= 4 << 20);
        }
        assert!(meter.read().unwrap().live < 4 << 20);
    }
}
