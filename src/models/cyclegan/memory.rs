//! What a training step will hold, by counting what autograd keeps.

use tch::Device;

use super::config::CycleGanConfig;
use crate::dataset::{DataBunch, Domain, PerDomain};
use crate::device::Precision;
use crate::models::core::training_size;
use crate::nn::{LayerMemory, activations, discriminator};
use crate::train::MemoryEstimate;

const FLOAT: f64 = 4.0;

/// Trained in batches of `data`, of which `accumulate` make an update.
pub(super) fn estimate(
    (config, device): (&CycleGanConfig, Device),
    data: &DataBunch,
    precision: Precision,
    accumulate: usize,
) -> MemoryEstimate {
    let channels = PerDomain::from_fn(|domain| data.channels(domain));
    let chips = Domain::BOTH.map(|domain| training_size(data, domain));
    let parameters = config.parameter_count(channels) as f64 * FLOAT;
    let generators = config.generator_parameter_count(channels) as f64 * FLOAT;
    let mean = if config.has_average() { generators } else { 0.0 };
    let area = |(height, width): (usize, usize)| (height * width) as f64;
    let pair = (area(chips[0]) * channels.a as f64 + area(chips[1]) * channels.b as f64) * FLOAT;
    let pool = pair * config.pool_size as f64;
    let kept_gradients = if accumulate > 1 { parameters } else { 0.0 };
    let cast = precision.casts(device);
    let casts = if cast { generators / 2.0 } else { 0.0 };
    // Of a pass for the generators and one for themselves.
    let normed = if config.spectral_norm { parameters - generators } else { 0.0 };
    let value = if cast { cast_value(device) } else { FLOAT };
    // Few chips do not fill a large batch.
    let batch = data.batch_size().min(data.draws()) as f64;
    let layers = LayerMemory::of(device, 4 * config.gen_features as i64, cast);
    let held = Held::of(config, channels, chips, batch, value, layers);
    let estimate = MemoryEstimate {
        parameters: (parameters + mean) as u64,
        optimiser: (2.0 * parameters) as u64,
        kept_copy: (3.0 * parameters + mean + pool) as u64,
        activations: (held.peak(generators)
            + copies(layers, parameters + generators, value)
            + kept_gradients
            + casts
            + normed) as u64,
        pool: pool as u64,
        batches: (pair * batch * data.batches_ahead() as f64) as u64,
        ..MemoryEstimate::default()
    };
    estimate.with_scratch()
}

/// Bytes of weights in NHWC, which our own layers on CUDA keep of each call: of two calls of a generator and one of a
/// discriminator, `called` bytes in f32.
fn copies(layers: LayerMemory, called: f64, value: f64) -> f64 {
    if layers == LayerMemory::Bordered { called / FLOAT * value } else { 0.0 }
}

/// Bytes of a value between layers in bfloat16. On the processor autocast keeps norms in f32 and so saves nothing. On
/// CUDA all of them are cast: steps of an H200 at batch 1 and 8 were within 2 % of what half the bytes make.
fn cast_value(device: Device) -> f64 {
    if device.is_cuda() { 0.5 * FLOAT } else { FLOAT }
}

/// Bytes that are held in the generators' part of a step, which is the larger one.
struct Held {
    /// Passes of a generator for each image; one of them is for the identity loss.
    passes: f64,
    /// When backward begins. One gradient is taken of all losses, so that all passes are held at once.
    at_first: f64,
    /// What backward holds besides for each image.
    passing: f64,
    /// Scratch of a residual block's products.
    products: f64,
}

impl Held {
    fn of(
        config: &CycleGanConfig,
        channels: PerDomain<usize>,
        chips: [(usize, usize); 2],
        batch: f64,
        value: f64,
        layers: LayerMemory,
    ) -> Self {
        let bytes = batch * value;
        let g = config.gen_features as f64;
        let passes = if config.has_identity(channels) { 3.0 } else { 2.0 };
        let (mut at_first, mut passing, mut products) = (0.0, 0.0f64, 0.0f64);
        for (chip, own, other) in [(chips[0], channels.a, channels.b), (chips[1], channels.b, channels.a)] {
            // A real image there, and a made one back.
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
        // The last pass of each generator is the first to be given back; all gradients are there from then on, and the
        // next pass is of two images where there is an identity loss.
        let later = self.at_first * (1.0 - 1.0 / self.passes) + 2.0 * self.passing + gradients;
        later.max(self.at_first + self.passing) + self.products
    }
}

/// What the products of a residual block's convolution take on their way back, in bytes: 36 for each 16 pixels of its two
/// maps, of so many pixels at most, and 36 for each pair of channels, of the weights and of their gradient.
fn scratch(features: f64, pixels: f64) -> f64 {
    const MOST_TILES: f64 = 256.0;
    let (channels, tiles) = (4.0 * features, (2.0 * pixels / 16.0 / 16.0).min(MOST_TILES));
    36.0 * FLOAT * 2.0 * channels * (channels + tiles)
}

/// Maps of full size with `gen_features` channels that backward holds besides what forward kept; found by measuring.
const TRANSIENT: f64 = 3.0;
