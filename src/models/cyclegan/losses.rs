//! Translations of a pair of batches, and their losses (Zhu et al. 2017, arXiv:1703.10593, equations 1 to 3 and section
//! 5.2).

use tch::Tensor;

use super::networks::Networks;
use super::objective::Objective;
use crate::dataset::PerDomain;
use crate::error::Result;
use crate::ffi;
use crate::loss::{AdversarialLoss, Verdict, l1};
use crate::nn::{Discriminator, Network};

/// The generators' outputs for a pair of real batches.
pub(super) struct Images {
    pub fake_a: Tensor,
    pub fake_b: Tensor,
    /// `None` if the identity loss is off.
    pub identity: Option<(Tensor, Tensor)>,
    pub cycled_a: Tensor,
    pub cycled_b: Tensor,
}

/// The generators' losses, weighted.
pub(super) struct GeneratorLosses {
    pub total: Tensor,
    pub adversarial: Tensor,
    pub cycle: Tensor,
    pub identity: Tensor,
    /// For A and for B, without weights.
    pub cycle_l1: (Tensor, Tensor),
}

/// Runs both generators, given by their target domain.
///
/// # Shapes
/// `real_a` and `real_b` are (N, C, H, W) in [-1, 1].
pub(super) fn translate_all(
    makers: PerDomain<&Network>,
    real_a: &Tensor,
    real_b: &Tensor,
    with_identity: bool,
) -> Result<Images> {
    let (fake_a, same_a) = both(makers.a, real_b, real_a, with_identity)?;
    let (fake_b, same_b) = both(makers.b, real_a, real_b, with_identity)?;
    let cycled_b = makers.b.forward(&fake_a)?;
    let cycled_a = makers.a.forward(&fake_b)?;
    Ok(Images { fake_a, fake_b, identity: same_a.zip(same_b), cycled_a, cycled_b })
}

/// Returns a generator's translation of `other`, and its output for images of its own domain; in one pass if the sizes
/// agree, because instance norm keeps the images of a batch separate.
fn both(generator: &Network, other: &Tensor, own: &Tensor, with_identity: bool) -> Result<(Tensor, Option<Tensor>)> {
    if !with_identity {
        return Ok((generator.forward(other)?, None));
    }
    let (made, same) = together(other, own, |x| generator.forward(x))?;
    Ok((made, Some(same)))
}

/// Runs `network` on two batches: as one batch if they have the same image size, otherwise one after the other.
fn together(first: &Tensor, second: &Tensor, network: impl Fn(&Tensor) -> Result<Tensor>) -> Result<(Tensor, Tensor)> {
    let (n, m) = (first.size4()?.0, second.size4()?.0);
    if first.size()[1..] != second.size()[1..] {
        return Ok((network(first)?, network(second)?));
    }
    let joint = network(&Tensor::f_cat(&[first, second], 0)?)?;
    Ok((joint.f_narrow(0, 0, n)?, joint.f_narrow(0, n, m)?))
}

pub(super) fn channels(real_a: &Tensor, real_b: &Tensor) -> Result<PerDomain<usize>> {
    Ok(PerDomain { a: real_a.size4()?.1 as usize, b: real_b.size4()?.1 as usize })
}

pub(super) fn generator_losses(
    nets: &Networks,
    objective: Objective<'_>,
    real_a: &Tensor,
    real_b: &Tensor,
    images: &Images,
) -> Result<GeneratorLosses> {
    let config = objective.config;
    let real = |disc: &Discriminator, image, name| {
        let views = disc.views(&objective.seen(image, name)?)?;
        let distances =
            views.iter().map(|(disc, view)| config.adversarial.distance(&disc.forward(view)?, Verdict::Real));
        mean(distances.collect::<Result<_>>()?)
    };
    let adversarial = real(&nets.disc_a, &images.fake_a, "augment_made_a")?.f_add(&real(
        &nets.disc_b,
        &images.fake_b,
        "augment_made_b",
    )?)?;
    let cycle_l1 = (l1(&images.cycled_a, real_a)?, l1(&images.cycled_b, real_b)?);
    let cycle = ffi::scale(&cycle_l1.0.f_add(&cycle_l1.1)?, objective.cycle_weight)?;
    let identity = match &images.identity {
        Some((a, b)) => {
            let sum = l1(a, real_a)?.f_add(&l1(b, real_b)?)?;
            ffi::scale(&sum, objective.cycle_weight * config.identity_weight)?
        }
        None => adversarial.f_zeros_like()?,
    };
    let total = adversarial.f_add(&cycle)?.f_add(&identity)?;
    Ok(GeneratorLosses { total, adversarial, cycle, identity, cycle_l1 })
}

/// Returns half the sum of the losses of real images as "real" and of generated ones as "generated", averaged over
/// scales.
pub(super) fn discriminator_loss(
    disc: &Discriminator,
    form: AdversarialLoss,
    real: &Tensor,
    fake: &Tensor,
) -> Result<Tensor> {
    let (of_real, of_fake) = (disc.views(real)?, disc.views(fake)?);
    let distances = of_real.iter().zip(&of_fake).map(|((disc, real), (_, fake))| {
        let (on_real, on_fake) = together(real, fake, |x| disc.forward(x))?;
        let sum = form.distance(&on_real, Verdict::Real)?.f_add(&form.distance(&on_fake, Verdict::Generated)?)?;
        ffi::scale(&sum, 0.5)
    });
    mean(distances.collect::<Result<_>>()?)
}

/// Averages over the scales of a discriminator, so that the weights of other losses keep their meaning with any number
/// of scales.
fn mean(of_scales: Vec<Tensor>) -> Result<Tensor> {
    match of_scales.as_slice() {
        [one] => Ok(one.shallow_clone()),
        all => ffi::scale(&Tensor::f_stack(all, 0)?.f_sum(None)?, 1.0 / all.len() as f64),
    }
}
