//! The two halves of a training step: losses and gradients of the generators, and those of the discriminators.
//!
//! Each half depends only on images and weights and changes nothing, so it can be repeated and recorded as a CUDA
//! graph. Updates of the weights and the image pools happen between them.

use tch::Tensor;

use super::losses::{GeneratorLosses, channels, discriminator_loss, generator_losses, translate_all};
use super::networks::Networks;
use super::objective::Objective;
use crate::dataset::PerDomain;
use crate::error::Result;
use crate::ffi;
use crate::nn::Discriminator;
use crate::optim::Adam;

/// Options of a half.
#[derive(Debug, Clone, Copy)]
pub(super) struct HalfOptions<'a> {
    pub objective: Objective<'a>,
    /// Whether convolutions use bfloat16.
    pub cast: bool,
    /// Factor of the losses before their gradients are taken.
    pub share: f64,
}

/// The results of a half. No tensor carries a gradient.
#[derive(Debug)]
pub(super) struct HalfStep {
    /// Scalars.
    pub losses: Vec<Tensor>,
    pub images: Vec<Tensor>,
    /// As returned by [`Adam::gradients`], for each optimizer.
    pub gradients: Vec<Vec<Tensor>>,
}

/// Returns the losses of both generators (`generator`, `adversarial`, `cycle`, `identity`), their images (of A, of B),
/// and the gradients of their common optimizer.
pub(super) fn generators(
    nets: &Networks,
    adam: &Adam,
    [a, b]: [&Tensor; 2],
    options: HalfOptions<'_>,
) -> Result<HalfStep> {
    let HalfOptions { objective, cast, share } = options;
    // Casts of weights are cached until the end of the closure, so it must not span an update.
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

/// Returns the losses of both discriminators (of A, of B) and the gradients of their optimizers, for real and generated
/// images.
pub(super) fn discriminators(
    nets: &Networks,
    adams: PerDomain<&Adam>,
    [real_a, real_b, fake_a, fake_b]: [&Tensor; 4],
    options: HalfOptions<'_>,
) -> Result<HalfStep> {
    let (of_a, gradients_a) = discriminator_gradients(
        &nets.disc_a,
        adams.a,
        [(real_a, "augment_real_a"), (fake_a, "augment_fake_a")],
        options,
    )?;
    let (of_b, gradients_b) = discriminator_gradients(
        &nets.disc_b,
        adams.b,
        [(real_b, "augment_real_b"), (fake_b, "augment_fake_b")],
        options,
    )?;
    Ok(HalfStep { losses: detached(&[of_a, of_b])?, images: Vec::new(), gradients: vec![gradients_a, gradients_b] })
}

/// Returns the loss of a discriminator and its gradients. Real and generated images come with the names of the random
/// streams that augment them.
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
