//! One training step (Zhu et al. 2017, arXiv:1703.10593, equations 1 to 3 and section 5.2).
//!
//! Order: both generators, then discriminator A, then discriminator B. The discriminators see images that were made
//! before the generators were updated.

use tch::Tensor;

use super::config::CycleGanConfig;
use super::graphs::{Half, StepKind};
use super::halves::{self, HalfOptions, HalfStep};
use super::losses::{GeneratorLosses, channels, discriminator_loss, generator_losses, translate_all};
use super::networks::Networks;
use super::objective::Objective;
use super::optimizers::Optimizers;
use crate::dataset::PerDomain;
use crate::error::{Error, ErrorKind, Result};
use crate::nn::Discriminator;
use crate::optim::Update;
use crate::random::Seed;
use crate::train::StepContext;

/// Names of the losses of a step, in order.
pub(super) const LOSS_NAMES: &[&str] =
    &["generator", "adversarial", "cycle", "identity", "discriminator_a", "discriminator_b"];

/// Names of the metrics of a validation, in order. `cycle_l1_a` is the mean absolute difference between A and A
/// translated to B and back, in the scaled range of 2, without a weight.
pub(super) const METRIC_NAMES: &[&str] = &[
    "valid_loss",
    "valid_adversarial",
    "valid_cycle",
    "valid_identity",
    "valid_discriminator_a",
    "valid_discriminator_b",
    "valid_cycle_l1_a",
    "valid_cycle_l1_b",
];

/// Trains on one pair of batches; returns the losses in the order of [`LOSS_NAMES`].
pub(super) fn train_step(
    nets: &Networks,
    optimizers: &mut Optimizers,
    config: &CycleGanConfig,
    (real_a, real_b): (&Tensor, &Tensor),
    context: StepContext<'_>,
) -> Result<Tensor> {
    let StepContext { lr, disc_lr_ratio, adam, step, precision, share, update, .. } = context;
    let (device, batch) = (real_a.device(), context.joint_batch(real_a)?);
    let update = Update { lr, adam, share, now: update, peers: batch.peers() };
    let objective = Objective::of_step(config, &context, batch.portion());
    let how = HalfOptions { objective, cast: precision.casts(device), share: update.share };
    let Optimizers { generators, disc_a, disc_b, mean, pool_a, pool_b, graphs, .. } = optimizers;
    graphs.begin(device, StepKind::of(config, [real_a, real_b], &context), !update.now);

    let work = |real: [&Tensor; 2]| halves::generators(nets, generators, real, how);
    let HalfStep { mut losses, images, gradients } = graphs.run(Half::Generators, [real_a, real_b], work)?;
    // The discriminators do not depend on the generators' new weights, and are trained while the generators' gradients
    // are exchanged.
    let moving = gradients.into_iter().map(|list| generators.begin(list, update)).collect::<Result<Vec<_>>>()?;

    let draw = |name| Seed(config.seed).stream(name, step);
    let [fake_a, fake_b] = images.as_slice() else {
        return Err(Error::new(ErrorKind::Torch, "the generators made no images"));
    };
    let fake_a = pool_a.exchange_own(fake_a, batch, &mut draw("pool_a"))?;
    let fake_b = pool_b.exchange_own(fake_b, batch, &mut draw("pool_b"))?;
    // The generators' intermediate tensors are no longer needed: their memory is reused by the discriminators.
    drop(images);

    let work = |images: [&Tensor; 4]| halves::discriminators(nets, PerDomain { a: disc_a, b: disc_b }, images, how);
    let made = graphs.run(Half::Discriminators, [real_a, real_b, &fake_a, &fake_b], work)?;
    moving.into_iter().try_for_each(|moving| generators.finish(moving))?;
    if let Some(mean) = mean {
        mean.follow(batch.images() as u64, update.now)?;
    }
    let update = Update { lr: lr * disc_lr_ratio, ..update };
    let mut moving = Vec::new();
    for (adam, list) in [disc_a, disc_b].into_iter().zip(made.gradients) {
        moving.push((adam.begin(list, update)?, adam));
    }
    moving.into_iter().try_for_each(|(moving, adam)| adam.finish(moving))?;
    if update.now {
        [&nets.disc_a, &nets.disc_b].into_iter().try_for_each(Discriminator::update_spectral_norms)?;
    }
    losses.extend(made.losses);
    Ok(Tensor::f_stack(&losses, 0)?)
}

/// Measures without training; returns the metrics in the order of [`METRIC_NAMES`].
pub(super) fn validate(nets: &Networks, config: &CycleGanConfig, real: (&Tensor, &Tensor)) -> Result<Tensor> {
    let (real_a, real_b) = real;
    tch::no_grad(|| {
        let with_identity = config.has_identity(channels(real_a, real_b)?);
        let images = translate_all(nets.shown(), real_a, real_b, with_identity)?;
        let losses = generator_losses(nets, Objective::plain(config), real_a, real_b, &images)?;
        let loss_a = discriminator_loss(&nets.disc_a, config.adversarial, real_a, &images.fake_a)?;
        let loss_b = discriminator_loss(&nets.disc_b, config.adversarial, real_b, &images.fake_b)?;
        let GeneratorLosses { total, adversarial, cycle, identity, cycle_l1: (cycle_a, cycle_b) } = losses;
        Ok(Tensor::f_stack(&[total, adversarial, cycle, identity, loss_a, loss_b, cycle_a, cycle_b], 0)?)
    })
}
