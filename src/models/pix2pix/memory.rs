//! What a training step will hold, by counting what autograd keeps.

use tch::Device;

use super::config::Pix2PixConfig;
use crate::dataset::{DataBunch, Domain, PerDomain};
use crate::device::Precision;
use crate::models::core::training_size;
use crate::nn::{LayerMemory, activations};
use crate::train::MemoryEstimate;

const FLOAT: f64 = 4.0;
/// Maps of full size with `gen_features` channels that backward holds besides what forward kept; found by measuring.
const TRANSIENT: f64 = 3.0;

/// Estimates what training takes in batches of `data`, of which `accumulate` make an update.
pub(super) fn estimate(
    (config, device): (&Pix2PixConfig, Device),
    data: &DataBunch,
    precision: Precision,
    accumulate: usize,
) -> MemoryEstimate {
    let channels = PerDomain::from_fn(|domain| data.channels(domain));
    let size = training_size(data, Domain::A);
    let parameters = config.parameter_count(channels) as f64 * FLOAT;
    let generator = config.generator_plan(channels).parameter_count() as f64 * FLOAT;
    let pair = (size.0 * size.1 * (channels.a + channels.b)) as f64 * FLOAT;
    let cast = precision.casts(device);
    // On the processor autocast keeps norms in f32 and so saves nothing.
    let value = if cast && device.is_cuda() { 0.5 * FLOAT } else { FLOAT };
    // Few chips do not fill a large batch.
    let batch = data.batch_size().min(data.draws()) as f64;
    let layers = LayerMemory::of(device, 4 * config.gen_features as i64, cast);
    let kept_gradients = if accumulate > 1 { parameters } else { 0.0 };
    let casts = if cast { generator / 2.0 } else { 0.0 };
    let [made, beginning] = held(config, channels, size, layers).map(|values| batch * value * values);
    // All gradients are there when backward comes to the first layers.
    let held = beginning.max(made + generator);
    MemoryEstimate {
        parameters: parameters as u64,
        optimiser: (2.0 * parameters) as u64,
        kept_copy: (3.0 * parameters) as u64,
        activations: (held + kept_gradients + casts) as u64,
        batches: (pair * batch * data.batches_ahead() as f64) as u64,
        ..MemoryEstimate::default()
    }
    .with_scratch()
}

/// Counts the values of an image that the generator keeps, and those that are held at the worst moment before its gradients: beside them
/// either a discriminator's of two pairs, or its of one pair and what backward takes.
fn held(config: &Pix2PixConfig, channels: PerDomain<usize>, size: (usize, usize), layers: LayerMemory) -> [f64; 2] {
    let plan = config.generator_plan(channels);
    // A U-Net goes by libtorch's operators on CUDA.
    let has_own = layers != LayerMemory::Bordered || !plan.has_skips();
    let made = activations(&plan, channels.a as i64, size, if has_own { layers } else { LayerMemory::ByParts });
    let of_pair = channels.a + channels.b;
    let judged = activations(&config.discriminator_plan(channels), of_pair as i64, size, layers);
    let passing = TRANSIENT * (config.gen_features * size.0 * size.1) as f64;
    [made, made + (2.0 * judged).max(judged + passing)]
}
