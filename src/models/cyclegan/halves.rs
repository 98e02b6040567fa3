//! The two halves of a training step: what the generators learn from, and what the discriminators learn from.
//!
//! Each depends on images and weights alone and changes nothing, so a CUDA device can be asked for it again as it was
//! recorded. Updates of the weights and the pools of images lie between them.

use tch::Tensor;

use super::losses::{GeneratorLosses, channels, discriminator_loss, generator_losses, translate_all};
use super::networks::Networks;
use super::objective::Objective;
use crate::dataset::PerDomain;
use crate::error::Result;
use crate::ffi;
use crate::nn::Discriminator;
use crate::optim::Adam;

/// How a half is computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct HalfOptions<'a> {
    pub objective: Objective<'a>,
    /// Whether convolutions take bfloat16.
    pub cast: bool,
    /// What losses are multiplied by before their gradients are taken.
    pub share: f64,
}

/// What half of a step makes. No tensor carries a gradient.
#[derive(Debug)]
pub(super) struct HalfStep {
    /// Scalars.
    pub losses: Vec<Tensor>,
    pub images: Vec<Tensor>,
    /// As [`Adam::gradients`] gives them, for each optimizer.
    pub gradients: Vec<Vec<Tensor>>,
}

/// Losses of both generators (`generator`, `adversarial`, `cycle`, `identity`), their images (of A, of B), and the gradients
/// of their one optimizer.
pub(super) fn generators(nets: &Networks, adam: &Adam, [a, b]: [&Tensor; 2], options: HalfOptions<'_>) -> Result<HalfStep> {
    let HalfOptions { objective, cast, share } = options;
    // Casts of weights are cached until the end of the closure, so that it must not reach over an update.
    let (images, losses) = ffi::autocast(cast, a.device(), || {
        let images = translate_all(nets.learning(), a, b, objective.config.has_identity(channels(a, b)?))?;
        let losses = generator_losses(nets, objective, a, b, &images)?;
        Ok((images, losses))
    })?;
    let gradients = vec![adam.gradients(&losses.total, share)?];
    let GeneratorLosses { total, adversarial, cycle, identity, .. } = losses;
    let losses = detached(&[total, adversarial, cycle, identity])?;
    Ok(HalfStep { losses, images: detached(&[images.fake_a, images.fake_b])?, gradients })
}

/// Losses of both discriminators (of A, of B) and the gradients of their optimizers; from real images and generated ones.
pub(super) fn discriminators(
    nets: &Networks,
    adams: PerDomain<&Adam>,
    [real_a, real_b, fake_a, fake_b]: [&Tensor; 4],
    options: HalfOptions<'_>,
) -> Result<HalfStep> {
    let (of_a, gradients_a) =
        discriminator_gradients(&nets.disc_a, adams.a, [(real_a, "augment_real_a"), (fake_a, "augment_fake_a")], options)?;
    let (of_b, gradients_b) =
        discriminator_gradients(&nets.disc_b, adams.b, [(real_b, "augment_real_b"), (fake_b, "augment_fake_b")], options)?;
    Ok(HalfStep { losses: detached(&[of_a, of_b])?, images: Vec::new(), gradients: vec![gradients_a, gradients_b] })
}

/// The loss of a discriminator and its gradients. Real and generated images come with the names of the streams that vary
/// them.
fn discriminator_gradients(
    disc: &Discriminator,
    adam: &Adam,
    [(real, of_real), (fake, of_fake)]: [(&Tensor, &str); 2],
    options: HalfOptions<'_>,
) -> Result<(Tensor, Vec<Tensor>)> {
    let HalfOptions { objective, cast, share } = options;
    let (real, fake) = (objective.seen(real, of_real)?, objective.seen(fake, of_fake)?);
    let form = objective.config.adversarial;
    let loss = ffi::autocast(cast, fake.device(), || discriminator_loss(disc, form, &real, &fake))?;
    let gradients = adam.gradients(&loss, share)?;
    Ok((loss, gradients))
}

fn detached(tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    tensors.iter().map(|tensor| Ok(tensor.f_detach()?)).collect()
}
