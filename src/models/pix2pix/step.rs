//! One training step (Isola et al. 2017, arXiv:1611.07004, section 3.3): the discriminator is updated first, and the
//! generator uses its new scores. Both see images that the generator made before.

use tch::Tensor;

use super::config::Pix2PixConfig;
use super::losses::{GeneratorLosses, discriminator_loss, generator_losses};
use super::networks::Networks;
use super::optimizers::Optimizers;
use crate::error::Result;
use crate::ffi;
use crate::nn::{Network, NormWithDropout};
use crate::optim::Update;
use crate::peers::Portion;
use crate::random::Seed;
use crate::train::StepContext;

/// Names of the losses of a step, in order.
pub(super) const LOSS_NAMES: &[&str] = &["generator", "adversarial", "reconstruction", "discriminator"];

/// Names of the metrics of a validation, in order. `valid_l1` is the mean absolute difference from the real images, in
/// the scaled range of 2, without a weight.
pub(super) const METRIC_NAMES: &[&str] =
    &["valid_loss", "valid_adversarial", "valid_reconstruction", "valid_discriminator", "valid_l1"];

/// Trains on a batch of pairs; returns the losses in the order of [`LOSS_NAMES`].
pub(super) fn train_step(
    nets: &Networks,
    optimizers: &mut Optimizers,
    config: &Pix2PixConfig,
    (a, b): (&Tensor, &Tensor),
    context: StepContext<'_>,
) -> Result<Tensor> {
    let StepContext { lr, disc_lr_ratio, adam, step, precision, share, update, .. } = context;
    let (device, batch) = (a.device(), context.joint_batch(a)?);
    let update = Update { lr, adam, share, now: update, peers: batch.peers() };
    let Optimizers { generator, discriminator, .. } = optimizers;
    // Casts of weights are cached within each of these closures, so none may span an update.
    let cast = precision.casts(device);
    let made = ffi::autocast(cast, device, || translated(&nets.generator, config, a, (step, batch.portion())))?;

    let pair = [a, b, &made.f_detach()?];
    let judged = ffi::autocast(cast, device, || discriminator_loss(&nets.discriminator, config, pair))?;
    let gradients = discriminator.gradients(&judged, share)?;
    // Nothing can overlap these all-reduces: the generator learns from the updated discriminator, and the next step needs both.
    discriminator.apply(gradients, Update { lr: lr * disc_lr_ratio, ..update })?;

    let losses = ffi::autocast(cast, device, || generator_losses(&nets.discriminator, config, [a, b, &made]))?;
    let gradients = generator.gradients(&losses.total, share)?;
    generator.apply(gradients, update)?;
    let GeneratorLosses { total, adversarial, reconstruction, .. } = losses;
    Ok(Tensor::f_stack(&[total, adversarial, reconstruction, judged], 0)?.f_detach()?)
}

/// Translates images as the generator does in training.
fn translated(generator: &Network, config: &Pix2PixConfig, a: &Tensor, drawn: (u64, Portion)) -> Result<Tensor> {
    let (step, portion) = drawn;
    match config.dropout {
        true => generator.forward_with(a, &mut NormWithDropout::new(Seed(config.seed), step, portion)),
        false => generator.forward(a),
    }
}

/// Measures without training; returns the metrics in the order of [`METRIC_NAMES`].
pub(super) fn validate(nets: &Networks, config: &Pix2PixConfig, (a, b): (&Tensor, &Tensor)) -> Result<Tensor> {
    tch::no_grad(|| {
        let made = nets.generator.forward(a)?;
        let judged = discriminator_loss(&nets.discriminator, config, [a, b, &made])?;
        let losses = generator_losses(&nets.discriminator, config, [a, b, &made])?;
        let GeneratorLosses { total, adversarial, reconstruction, distance } = losses;
        Ok(Tensor::f_stack(&[total, adversarial, reconstruction, judged, distance], 0)?)
    })
}
