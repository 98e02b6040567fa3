//! Estimates the memory of a training step by counting what autograd keeps.

use tch::Device;

use super::config::CycleGanConfig;
use crate::dataset::DataBunch;
use crate::device::Precision;
use crate::models::core::{Bytes, FLOAT, Step, TRANSIENT};
use crate::nn::{LayerMemory, activations, discriminator};
use crate::train::MemoryEstimate;

/// Estimates training with batches of `data`, of which `accumulate` make an update.
pub(super) fn estimate(
    (config, device): (&CycleGanConfig, Device),
    data: &DataBunch,
    precision: Precision,
    accumulate: usize,
) -> MemoryEstimate {
    let step = Step::of(data, (device, precision), accumulate, config.gen_features);
    let parameters = config.parameter_count(step.channels) as f64 * FLOAT;
    let generators = config.generator_parameter_count(step.channels) as f64 * FLOAT;
    let mean = if config.has_average() { generators } else { 0.0 };
    let normed = if config.spectral_norm { parameters - generators } else { 0.0 };
    let held = Held::of(config, &step).peak(generators) + copies(&step, parameters + generators) + normed;
    step.estimate(Bytes { parameters, generators, mean, held }, config.pool_size)
}

/// Counts the bytes of weights in NHWC that our own CUDA layers keep for each call: two calls of each generator and one
/// of each discriminator, with `called` bytes in f32.
fn copies(step: &Step, called: f64) -> f64 {
    if step.layers == LayerMemory::Bordered { called / FLOAT * step.value } else { 0.0 }
}

/// Bytes that are held in the generators' half of a step, which is the larger one.
struct Held {
    /// Passes of a generator for each image; one of them is for the identity loss.
    passes: f64,
    /// When the backward pass starts. There is one gradient of all losses, so all passes are held at once.
    at_first: f64,
    /// What the backward pass needs additionally for each image.
    passing: f64,
    /// Scratch memory for a residual block's products.
    products: f64,
}

impl Held {
    fn of(config: &CycleGanConfig, step: &Step) -> Self {
        let &Step { channels, sizes, layers, batch, value, .. } = step;
        let bytes = batch * value;
        let g = config.gen_features as f64;
        let passes = if config.has_identity(channels) { 3.0 } else { 2.0 };
        let (mut at_first, mut passing, mut products) = (0.0, 0.0f64, 0.0f64);
        for (chip, own, other) in [(sizes.a, channels.a, channels.b), (sizes.b, channels.b, channels.a)] {
            // A real image in one direction, and a generated one back.
            let pass = |from, to| activations(&config.generator_plan(from, to), from as i64, chip, layers);
            let judge = discriminator(config.discriminator_shape(other));
            let there = pass(own, other);
            // Half the size is a quarter of the pixels.
            let scales = if config.disc_scales > 1 { 1.25 } else { 1.0 };
            let back = pass(other, own);
            at_first +=
                bytes * ((passes - 1.0) * there + back + scales * activations(&judge, other as i64, chip, layers));
            let area = (chip.0 * chip.1) as f64;
            passing = passing.max(bytes * TRANSIENT * g * area);
            products = products.max(if layers == LayerMemory::AsOne { scratch(g, batch * area) } else { 0.0 });
        }
        Self { passes, at_first, passing, products }
    }

    fn peak(&self, gradients: f64) -> f64 {
        // The last pass of each generator is freed first; from then on all gradients exist, and the next pass has two
        // images if there is an identity loss.
        let later = self.at_first * (1.0 - 1.0 / self.passes) + 2.0 * self.passing + gradients;
        later.max(self.at_first + self.passing) + self.products
    }
}

/// Counts the bytes that the products of a residual block's convolution need in the backward pass: 36 values for each
/// 16 pixels of its two maps, up to a number of pixels, and 36 for each pair of channels, for the weights and their
/// gradient.
fn scratch(features: f64, pixels: f64) -> f64 {
    const MOST_TILES: f64 = 256.0;
    let (channels, tiles) = (4.0 * features, (2.0 * pixels / 16.0 / 16.0).min(MOST_TILES));
    36.0 * FLOAT * 2.0 * channels * (channels + tiles)
}
