//! How much memory training will take, and whether that much is free.

use std::fmt;

use tch::Device;

use crate::device::free_memory;
use crate::error::{Error, ErrorKind, Result};

/// Bytes that training will hold at its worst moment, by purpose.
///
/// A count of the tensors that autograd keeps, not a measurement: [`CycleGan::memory_estimate`] tells how good it is.
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
    /// Weights of all networks, and the running mean of some where there is one.
    pub parameters: u64,
    /// Moments of the optimizers.
    pub optimizer: u64,
    /// The copy of both, and of the pools, to which training goes back when it diverges; always in main memory.
    pub kept_copy: u64,
    /// What a step keeps for its gradients, the gradients themselves and what kernels pass on.
    pub activations: u64,
    /// What oneDNN or cuDNN and the division of memory into blocks take on top: a third of the step, the most that
    /// was measured on the processor (12 to 34 %). On CUDA, where `activations` hold the scratch of cuDNN's kernels, it is
    /// room for blocks that are not quite filled.
    pub scratch: u64,
    /// Generated images that are kept for the discriminators.
    pub pool: u64,
    /// Batches that are read ahead; always in main memory.
    pub batches: u64,
}

impl MemoryEstimate {
    /// Adds what kernels take besides `activations`.
    pub(crate) fn with_scratch(self) -> Self {
        Self { scratch: (self.activations as f64 * (SCRATCH - 1.0)) as u64, ..self }
    }

    /// The sum of all parts.
    ///
    /// ```
    /// let estimate = geolearn::train::MemoryEstimate::default();
    /// assert_eq!(estimate.total(), 0);
    /// ```
    pub fn total(&self) -> u64 {
        let Self { parameters, optimizer, kept_copy, activations, scratch, pool, batches } = *self;
        [parameters, optimizer, kept_copy, activations, scratch, pool, batches].into_iter().fold(0, u64::saturating_add)
    }

    /// What is not taken yet when a fit begins: on the device, and in main memory if that is another.
    pub(super) fn still_needed(&self, device: Device) -> [(Device, u64); 2] {
        let step = self.activations.saturating_add(self.scratch).saturating_add(self.pool);
        let aside = self.kept_copy.saturating_add(self.batches);
        match device.is_cuda() {
            true => [(device, step), (Device::Cpu, aside)],
            false => [(device, step.saturating_add(aside)), (device, 0)],
        }
    }

    /// Whether what is free holds it; true where the system does not say what is free.
    /// `otherwise` is the last word of advice.
    pub(super) fn check(&self, device: Device, batch_size: usize, otherwise: &str) -> Result<()> {
        self.check_within(device, &free_memory, batch_size, otherwise)
    }

    /// The same where `free` says how much memory is free.
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
                return Err(Error::new(ErrorKind::Limits, format!("training needs more than is free of {place}"))
                    .expected(format!("at most {}", Bytes(free)))
                    .found(format!("an estimate of {} ({self})", Bytes(needed)))
                    .help(format!("{} {otherwise}", advice(device, batch_size)).trim_end()));
            }
        }
        Ok(())
    }
}

/// What a step takes in all, as a multiple of what libtorch's allocators give out for it.
pub(super) const SCRATCH: f64 = 4.0 / 3.0;

pub(super) const IF_THE_ESTIMATE_IS_WRONG: &str = "FitOptions::check_memory(false) tries it nevertheless.";

impl fmt::Display for MemoryEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { parameters, optimizer, kept_copy, activations, scratch, pool, batches } = *self;
        write!(f, "{}: {} parameters, {} optimizer, ", Bytes(self.total()), Bytes(parameters), Bytes(optimizer))?;
        write!(f, "{} kept copy, {} activations, {} scratch, ", Bytes(kept_copy), Bytes(activations), Bytes(scratch))?;
        write!(f, "{} image pools, {} batches", Bytes(pool), Bytes(batches))
    }
}

/// Adds what to do to an error that tells of a lack of memory.
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
    format!("{batch}take smaller chips (Augment::crop), a model of fewer features (gen_features){cast}.")
}

/// A number of bytes in MB or GB.
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
    fn what_is_too_large_is_refused_with_figures_and_advice() {
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

    /// What the model holds already is not asked for again.
    #[test]
    fn only_what_is_to_come_counts() {
        let held = MemoryEstimate { parameters: u64::MAX, optimizer: u64::MAX, ..Default::default() };
        held.check(Device::Cpu, 1, "").unwrap();
        assert_eq!(HUGE.still_needed(Device::Cuda(0)), [(Device::Cuda(0), u64::MAX), (Device::Cpu, 1)]);
    }

    #[test]
    fn other_errors_keep_their_words() {
        let other = || Error::new(ErrorKind::Limits, "chip is too large").help("Cut it.");
        assert_eq!(advise(other(), Device::Cpu, 2).to_string(), other().to_string());
        let error = advise(Error::torch("CUDA out of memory. Tried to allocate 2 GiB"), Device::Cuda(0), 2);
        assert!(error.kind() == ErrorKind::Limits && error.to_string().contains("batch_size is 2"), "{error}");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn bytes_read_well() {
        assert_eq!(Bytes(41_600_000).to_string(), "41.6 MB");
        assert_eq!(Bytes(2_340_000_000).to_string(), "2.34 GB");
    }
}
