//! Estimates the memory of a training step by counting what autograd keeps.

use tch::Device;

use super::config::Pix2PixConfig;
use crate::dataset::DataBunch;
use crate::device::Precision;
use crate::models::core::{Bytes, FLOAT, Step, TRANSIENT};
use crate::nn::{LayerMemory, activations};
use crate::train::MemoryEstimate;

/// Estimates training with batches of `data`, of which `accumulate` make an update.
pub(super) fn estimate(
    (config, device): (&Pix2PixConfig, Device),
    data: &DataBunch,
    precision: Precision,
    accumulate: usize,
) -> MemoryEstimate {
    let step = Step::of(data, (device, precision), accumulate, config.gen_features);
    let parameters = config.parameter_count(step.channels) as f64 * FLOAT;
    let generators = config.generator_plan(step.channels).parameter_count() as f64 * FLOAT;
    let [made, beginning] = held(config, &step).map(|values| step.batch * step.value * values);
    // All gradients exist when the backward pass reaches the first layers.
    let held = beginning.max(made + generators);
    step.estimate(Bytes { parameters, generators, mean: 0.0, held }, 0)
}

/// Counts the values of an image that the generator keeps, and the values that are held at the peak before its
/// gradients: additionally either those of a discriminator for two pairs, or those for one pair plus the needs of the
/// backward pass.
fn held(config: &Pix2PixConfig, step: &Step) -> [f64; 2] {
    // Both images of a pair have the same size.
    let &Step { channels, layers, sizes, .. } = step;
    let plan = config.generator_plan(channels);
    // On CUDA, a U-Net runs in libtorch's operators.
    let has_own = layers != LayerMemory::Bordered || !plan.has_skips();
    let made = activations(&plan, channels.a as i64, sizes.a, if has_own { layers } else { LayerMemory::ByParts });
    let of_pair = channels.a + channels.b;
    let judged = activations(&config.discriminator_plan(channels), of_pair as i64, sizes.a, layers);
    let passing = TRANSIENT * (config.gen_features * sizes.a.0 * sizes.a.1) as f64;
    [made, made + (2.0 * judged).max(judged + passing)]
}
