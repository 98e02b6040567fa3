//! The losses of both networks (Isola et al. 2017, arXiv:1611.07004, section 3.1).

use tch::Tensor;

use super::config::Pix2PixConfig;
use crate::error::Result;
use crate::ffi;
use crate::loss::{Verdict, l1};
use crate::nn::Network;

/// The generator's losses, weighted.
pub(super) struct GeneratorLosses {
    pub total: Tensor,
    pub adversarial: Tensor,
    pub reconstruction: Tensor,
    /// The mean absolute difference from the real images, without its weight.
    pub distance: Tensor,
}

/// Scores pairs: an image of A, and in the following channels an image of B, real or generated.
///
/// # Shapes
/// (N, channels, H, W) each, of one size, to (N, 1, H / 16, W / 16).
pub(super) fn scores(discriminator: &Network, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    discriminator.forward(&Tensor::f_cat(&[a, b], 1)?)
}

/// Computes the losses of the generator's translation of `a` with respect to the real image `b`.
pub(super) fn generator_losses(
    discriminator: &Network,
    config: &Pix2PixConfig,
    [a, b, made]: [&Tensor; 3],
) -> Result<GeneratorLosses> {
    let adversarial = config.adversarial.distance(&scores(discriminator, a, made)?, Verdict::Real)?;
    let distance = l1(made, b)?;
    let reconstruction = ffi::scale(&distance, config.lambda_l1)?;
    let total = adversarial.f_add(&reconstruction)?;
    Ok(GeneratorLosses { total, adversarial, reconstruction, distance })
}

/// Computes half the sum of the losses of real pairs as "real" and of generated ones as "generated": half, so that the
/// discriminator learns more slowly than the generator (section 3.3).
pub(super) fn discriminator_loss(
    discriminator: &Network,
    config: &Pix2PixConfig,
    [a, b, made]: [&Tensor; 3],
) -> Result<Tensor> {
    // As one batch, whose images instance norm keeps separate.
    let n = a.size4()?.0;
    let both = scores(discriminator, &Tensor::f_cat(&[a, a], 0)?, &Tensor::f_cat(&[b, made], 0)?)?;
    let real = config.adversarial.distance(&both.f_narrow(0, 0, n)?, Verdict::Real)?;
    let generated = config.adversarial.distance(&both.f_narrow(0, n, n)?, Verdict::Generated)?;
    ffi::scale(&real.f_add(&generated)?, 0.5)
}
