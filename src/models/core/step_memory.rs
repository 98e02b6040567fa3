//! Memory of networks and their training that is computed in the same way for every kind of model.

use tch::Device;

use super::learner::training_size;
use crate::dataset::{DataBunch, PerDomain};
use crate::device::{Precision, free_memory};
use crate::error::{Error, ErrorKind, Result};
use crate::ffi;
use crate::nn::LayerMemory;
use crate::store::cache_folder;
use crate::train::MemoryEstimate;

/// Bytes of a value in f32.
pub(crate) const FLOAT: f64 = 4.0;

/// Maps of full size with `gen_features` channels that the backward pass holds in addition to the forward pass;
/// measured.
pub(crate) const TRANSIENT: f64 = 3.0;

/// Returns the share of a value's bytes that remains between layers in bfloat16. On CUDA all maps are cast: steps of an
/// H200 with batches of 1 and 8 were within 2 % of half. On a CPU, norms stay in f32; measured with AMX.
fn cast_share(device: Device) -> f64 {
    if device.is_cuda() { 0.5 } else { 0.66 }
}

/// Counts the bytes of this many parameters with their two moments each.
pub(crate) fn trained_bytes(parameters: u128) -> u128 {
    parameters.saturating_mul(3 * 4)
}

/// Prepares a device for networks that take this many bytes including their optimizers, before any of them is
/// allocated.
///
/// # Errors
/// `Limits` if that is more than is free.
pub(crate) fn make_room(needed: u128, device: Device) -> Result<()> {
    check_room(needed, free_memory(device))?;
    if let Some(folder) = cache_folder() {
        ffi::keep_cuda_kernels_in(folder.join("kernels"));
    }
    Ok(())
}

/// Refuses more than is free, if the system reports free memory.
fn check_room(needed: u128, free: Option<u64>) -> Result<()> {
    match free {
        Some(free) if needed > free.into() => {
            Err(Error::new(ErrorKind::Limits, "networks of this size take too much memory")
                .expected(format!("at most the {free} bytes that are free"))
                .found(format!("{needed} bytes for weights and optimizers"))
                .help("Use fewer gen_features or disc_features, or fewer gen_blocks or gen_levels."))
        }
        _ => Ok(()),
    }
}

/// The parts of a training step that decide its memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub channels: PerDomain<usize>,
    /// Height and width of the networks' input.
    pub sizes: PerDomain<(usize, usize)>,
    /// Which kind of layers runs, and therefore what autograd keeps.
    pub layers: LayerMemory,
    /// Images of each domain.
    pub batch: f64,
    /// Bytes of a value between layers.
    pub value: f64,
    casts: bool,
    accumulates: bool,
    batches_ahead: f64,
}

/// Bytes of one kind of model.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bytes {
    /// All trained weights.
    pub parameters: f64,
    /// Weights of the generators.
    pub generators: f64,
    /// The running mean.
    pub mean: f64,
    /// Peak memory of a step.
    pub held: f64,
}

impl Step {
    /// Describes a step with batches of `data`, of which `accumulate` make an update, and generators with this many
    /// features.
    pub fn of(
        data: &DataBunch,
        (device, precision): (Device, Precision),
        accumulate: usize,
        gen_features: usize,
    ) -> Self {
        let casts = precision.casts(device);
        Self {
            channels: PerDomain::from_fn(|domain| data.channels(domain)),
            sizes: PerDomain::from_fn(|domain| training_size(data, domain)),
            layers: LayerMemory::of(device, 4 * gen_features as i64, casts),
            // A few chips do not fill a large batch.
            batch: data.batch_size().min(data.draws()) as f64,
            value: FLOAT * if casts { cast_share(device) } else { 1.0 },
            casts,
            accumulates: accumulate > 1,
            batches_ahead: data.batches_ahead() as f64,
        }
    }

    /// Sums up the memory of training, with pools of this many images for each domain.
    pub fn estimate(&self, bytes: Bytes, pool_size: usize) -> MemoryEstimate {
        let Bytes { parameters, generators, mean, held } = bytes;
        let values = |(height, width): (usize, usize), channels: usize| (height * width * channels) as f64;
        let Self { sizes, channels, .. } = self;
        let pair = FLOAT * (values(sizes.a, channels.a) + values(sizes.b, channels.b));
        let pool = pair * pool_size as f64;
        let kept_gradients = if self.accumulates { parameters } else { 0.0 };
        let cast_weights = if self.casts { generators / 2.0 } else { 0.0 };
        let estimate = MemoryEstimate {
            parameters: (parameters + mean) as u64,
            optimizer: (2.0 * parameters) as u64,
            kept_copy: (3.0 * parameters + mean + pool) as u64,
            activations: (held + kept_gradients + cast_weights) as u64,
            pool: pool as u64,
            batches: (pair * self.batch * self.batches_ahead) as u64,
            ..MemoryEstimate::default()
        };
        estimate.with_scratch()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_beyond_the_memory_are_refused() {
        check_room(12, Some(12)).unwrap();
        check_room(u128::MAX, None).unwrap();
        let error = check_room(13, Some(12)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limits, "{error}");
        let text = error.to_string();
        assert!(text.contains("at most the 12 bytes") && text.contains("13 bytes"), "{text}");
        assert_eq!(trained_bytes(u128::MAX), u128::MAX);
    }
}
