//! The memory that training needs, and whether it is free.

use std::fmt;

use tch::Device;

use crate::device::free_memory;
use crate::error::{Error, ErrorKind, Result};

/// Peak memory of training in bytes, by purpose.
///
/// It is computed from the tensors that autograd keeps, not measured; [`CycleGan::memory_estimate`] describes its
/// accuracy.
///
/// ```
/// use geolearn::{CycleGan, DatasetType, Device, prepare_data};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let model = CycleGan::builder(&data).gen_features(8).disc_features(8).device(Device::Cpu).build()?;
/// let estimate = model.memory_estimate()?;
/// assert!(estimate.activations > estimate.parameters);
/// println!("{estimate}"); // … MB: 1.8 MB parameters, 3.6 MB optimizer, …
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// [`CycleGan::memory_estimate`]: crate::CycleGan::memory_estimate
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryEstimate {
    /// Weights of all networks, including the running mean if there is one.
    pub parameters: u64,
    /// Moments of the optimizers.
    pub optimizer: u64,
    /// Copy of both, and of the pools, that training restores if it diverges; always in main memory.
    pub kept_copy: u64,
    /// Tensors that a step keeps for its gradients, the gradients themselves, and intermediate results.
    pub activations: u64,
    /// Memory of oneDNN or cuDNN, and losses from dividing memory into blocks: a third of the step, the most that was
    /// measured on a CPU (12 to 34 %). On CUDA, where `activations` include the scratch memory of cuDNN's kernels, it
    /// is room for partially filled blocks.
    pub scratch: u64,
    /// Generated images in the pools.
    pub pool: u64,
    /// Batches that are read ahead; always in main memory.
    pub batches: u64,
}

impl MemoryEstimate {
    /// Adds the memory that kernels need besides `activations`.
    pub(crate) fn with_scratch(self) -> Self {
        Self { scratch: (self.activations as f64 * (SCRATCH - 1.0)) as u64, ..self }
    }

    /// Returns the sum of all parts.
    ///
    /// ```
    /// let estimate = geolearn::train::MemoryEstimate::default();
    /// assert_eq!(estimate.total(), 0);
    /// ```
    pub fn total(&self) -> u64 {
        let Self { parameters, optimizer, kept_copy, activations, scratch, pool, batches } = *self;
        [parameters, optimizer, kept_copy, activations, scratch, pool, batches].into_iter().fold(0, u64::saturating_add)
    }

    /// Returns what is not allocated yet when a fit starts: on the device, and in main memory if that is different.
    pub(super) fn still_needed(&self, device: Device) -> [(Device, u64); 2] {
        let step = self.activations.saturating_add(self.scratch).saturating_add(self.pool);
        let aside = self.kept_copy.saturating_add(self.batches);
        match device.is_cuda() {
            true => [(device, step), (Device::Cpu, aside)],
            false => [(device, step.saturating_add(aside)), (device, 0)],
        }
    }

    /// Checks that the free memory is sufficient; succeeds if the system does not report free memory. `otherwise` is
    /// the last sentence of the advice.
    pub(super) fn check(&self, device: Device, batch_size: usize, otherwise: &str) -> Result<()> {
        self.check_within(device, &free_memory, batch_size, otherwise)
    }

    /// Checks with `free` as the source of free memory.
    pub(super) fn check_within(
        &self,
        device: Device,
        free: &dyn Fn(Device) -> Option<u64>,
        batch_size: usize,
        otherwise: &str,
    ) -> Result<()> {
        for (device, needed) in self.still_needed(device) {
            if let Some(free) = free(device).filter(|&free| needed > free) {
                let place = if device.is_cuda() { "the device's memory" } else { "main memory" };
                return Err(Error::new(ErrorKind::Limits, format!("training needs more of {place} than is free"))
                    .expected(format!("at most {}", Bytes(free)))
                    .found(format!("an estimate of {} ({self})", Bytes(needed)))
                    .help(format!("{} {otherwise}", advice(device, batch_size)).trim_end()));
            }
        }
        Ok(())
    }
}

/// Total memory of a step as a multiple of what libtorch's allocators give out for it.
pub(super) const SCRATCH: f64 = 4.0 / 3.0;

pub(super) const IF_THE_ESTIMATE_IS_WRONG: &str = "FitOptions::check_memory(false) tries it anyway.";

impl fmt::Display for MemoryEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameters, optimizer, kept_copy, activations, scratch, pool, batches } = *self;
        write!(f, "{}: {} parameters, {} optimizer, ", Bytes(self.total()), Bytes(parameters), Bytes(optimizer))?;
        write!(f, "{} kept copy, {} activations, {} scratch, ", Bytes(kept_copy), Bytes(activations), Bytes(scratch))?;
        write!(f, "{} image pools, {} batches", Bytes(pool), Bytes(batches))
    }
}

/// Adds advice to an error about a lack of memory.
pub(super) fn advise(error: Error, device: Device, batch_size: usize) -> Error {
    match error.is_out_of_memory() {
        true => error.help(advice(device, batch_size)),
        false => error,
    }
}

fn advice(device: Device, batch_size: usize) -> String {
    let batch = match batch_size {
        0 | 1 => "batch_size is 1 already: ".to_string(),
        n => format!(
            "batch_size is {n}: prepare the data with a smaller one (1 with accumulate({n}) makes the same updates), "
        ),
    };
    let cast = if device.is_cuda() { ", or Precision::Bf16" } else { "" };
    format!("{batch}use smaller chips (Augment::crop) or a model with fewer features (gen_features){cast}.")
}

/// Formats a number of bytes in MB or GB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mega = self.0 as f64 / 1e6;
        if mega < 1e3 { write!(f, "{mega:.1} MB") } else { write!(f, "{:.2} GB", mega / 1e3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUGE: MemoryEstimate = MemoryEstimate {
        parameters: 0,
        optimizer: 0,
        kept_copy: 0,
        activations: u64::MAX,
        scratch: 0,
        pool: 1,
        batches: 1,
    };

    #[test]
    fn too_much_memory_is_refused_with_figures_and_advice() {
        let error = HUGE.check(Device::Cpu, 8, IF_THE_ESTIMATE_IS_WRONG).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limits);
        let text = error.to_string();
        for part in
            ["at most", "GB", "batch_size is 8", "accumulate(8)", "Augment::crop", "gen_features", "check_memory"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("Bf16"), "{text}");
        assert!(advice(Device::Cuda(0), 1).contains("Bf16"));
    }

    /// Memory that the model has already allocated is not counted again.
    #[test]
    fn only_memory_to_be_allocated_counts() {
        let held = MemoryEstimate { parameters: u64::MAX, optimizer: u64::MAX, ..Default::default() };
        held.check(Device::Cpu, 1, "").unwrap();
        assert_eq!(HUGE.still_needed(Device::Cuda(0)), [(Device::Cuda(0), u64::MAX), (Device::Cpu, 1)]);
    }

    #[test]
    fn other_errors_are_unchanged() {
        let other = || Error::new(ErrorKind::Limits, "chip is too large").help("Cut it.");
        assert_eq!(advise(other(), Device::Cpu, 2).to_string(), other().to_string());
        let error = advise(Error::torch("CUDA out of memory. Tried to allocate 2 GiB"), Device::Cuda(0), 2);
        assert!(error.kind() == ErrorKind::Limits && error.to_string().contains("batch_size is 2"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn bytes_are_formatted() {
        assert_eq!(Bytes(41_600_000).to_string(), "41.6 MB");
        assert_eq!(Bytes(2_340_000_000).to_string(), "2.34 GB");
    }
}
