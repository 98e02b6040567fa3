//! One training step (Zhu et al. 2017, arXiv:1703.10593, equations 1 to 3 and section 5.2).
//!
//! Order: both generators, then discriminator A, then discriminator B. The discriminators see the images
//! that were made before the generators moved.

use tch::Tensor;

use super::config::CycleGanConfig;
use super::graphs::{Graphs, Half, StepKind};
use super::halves::{self, HalfStep, How};
use super::networks::Networks;
use super::objective::Objective;
use crate::dataset::PerDomain;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi;
use crate::loss::{AdversarialLoss, ImagePool, Verdict, l1};
use crate::nn::{Discriminator, Network, Parameters};
use crate::optim::{Adam, RunningMean, Update};
use crate::random::Seed;
use crate::train::StepContext;

/// Names of what a step gives, in order.
pub(super) const LOSS_NAMES: &[&str] =
    &["generator", "adversarial", "cycle", "identity", "discriminator_a", "discriminator_b"];

/// Names of what a validation gives, in order. `cycle_l1_a` is the mean distance of A, translated to B and back,
/// from A, in the scaled range of 2, without a weight.
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

/// What the generators make of a pair of real batches.
pub(super) struct Images {
    pub fake_a: Tensor,
    pub fake_b: Tensor,
    /// `None` when the identity loss is off.
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
    /// Of A and of B, without a weight.
    pub cycle_l1: (Tensor, Tensor),
}

/// What training changes besides the networks.
#[derive(Debug)]
pub(super) struct Optimisers {
    generators: Adam,
    disc_a: Adam,
    disc_b: Adam,
    mean: Option<RunningMean>,
    pool_a: ImagePool,
    pool_b: ImagePool,
    /// What the names of the parameters of the generators' encoders begin with.
    encoders: Vec<String>,
    graphs: Graphs,
}

impl Optimisers {
    pub fn new(networks: &Networks, config: &CycleGanConfig) -> Result<Self> {
        let follow = |mean| RunningMean::new(mean, networks.generator_parameters(), config.average_half_life);
        Ok(Self {
            generators: Adam::new(networks.generator_parameters())?,
            disc_a: Adam::new(networks.disc_a.parameters())?,
            disc_b: Adam::new(networks.disc_b.parameters())?,
            mean: networks.mean_parameters().map(follow).transpose()?,
            pool_a: ImagePool::new(config.pool_size),
            pool_b: ImagePool::new(config.pool_size),
            encoders: networks.encoders(),
            graphs: Graphs::by_environment(),
        })
    }

    /// The moments of all optimisers, and the running mean of weights, by name; they share memory with the state.
    pub fn state(&self) -> Parameters {
        let moments = [&self.generators, &self.disc_a, &self.disc_b].into_iter().flat_map(Adam::state);
        moments.chain(self.mean.iter().flat_map(RunningMean::state)).collect()
    }

    /// Lets the encoders of the generators move or not; all else moves.
    pub fn freeze_encoders(&mut self, frozen: bool) {
        let is_encoder = |name: &str| self.encoders.iter().any(|layer| name.starts_with(layer));
        self.generators.select(|name| !(frozen && is_encoder(name)));
        self.graphs.clear();
    }

    /// Forgets gradients of an update that was not made, and what is known of a state that may be another now.
    pub fn forget(&mut self) {
        self.mean.iter_mut().for_each(RunningMean::forget);
        [&mut self.generators, &mut self.disc_a, &mut self.disc_b].into_iter().for_each(Adam::forget);
        self.graphs.clear();
    }

    /// What was recorded of training steps on CUDA.
    pub fn graphs(&self) -> &Graphs {
        &self.graphs
    }

    pub fn graphs_mut(&mut self) -> &mut Graphs {
        &mut self.graphs
    }

    /// The pools of domains A and B, by the prefix of their images' names.
    pub fn pools(&self) -> [(&'static str, &ImagePool); 2] {
        [("pool_a.", &self.pool_a), ("pool_b.", &self.pool_b)]
    }

    pub fn pools_mut(&mut self) -> [(&'static str, &mut ImagePool); 2] {
        [("pool_a.", &mut self.pool_a), ("pool_b.", &mut self.pool_b)]
    }
}

/// Runs both generators, which are given by the domain whose images they make.
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

/// A generator's translation of `other`, and what it makes of images of its own domain; in one pass where the
/// sizes agree, since instance norm keeps the images of a batch apart.
fn both(generator: &Network, other: &Tensor, own: &Tensor, with_identity: bool) -> Result<(Tensor, Option<Tensor>)> {
    if !with_identity {
        return Ok((generator.forward(other)?, None));
    }
    let (made, same) = together(other, own, |x| generator.forward(x))?;
    Ok((made, Some(same)))
}

/// `network` of two batches: as one where they have the same image size, else one after the other.
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

/// Half the sum of the distances of real images from "real" and of generated ones from "generated"; the mean of that over
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

/// The mean over the scales of a discriminator, so that weights of other losses mean the same for any number of them.
fn mean(of_scales: Vec<Tensor>) -> Result<Tensor> {
    match of_scales.as_slice() {
        [one] => Ok(one.shallow_clone()),
        all => ffi::scale(&Tensor::f_stack(all, 0)?.f_sum(None)?, 1.0 / all.len() as f64),
    }
}

/// Learns from one pair of batches; gives the losses in the order of [`LOSS_NAMES`].
pub(super) fn train_step(
    nets: &Networks,
    optimisers: &mut Optimisers,
    config: &CycleGanConfig,
    (real_a, real_b): (&Tensor, &Tensor),
    context: StepContext,
) -> Result<Tensor> {
    let StepContext { lr, disc_lr_ratio, adam, step, precision, share, update, .. } = context;
    let device = real_a.device();
    let update = Update { lr, adam, share, now: update };
    let how =
        How { objective: Objective::of_step(config, &context), cast: precision.casts(device), share: update.share };
    let Optimisers { generators, disc_a, disc_b, mean, pool_a, pool_b, graphs, .. } = optimisers;
    graphs.begin(device, StepKind::of(config, [real_a, real_b], &context), !update.now);

    let work = |real: [&Tensor; 2]| halves::generators(nets, generators, real, how);
    let HalfStep { mut losses, images, gradients } = graphs.run(Half::Generators, [real_a, real_b], work)?;
    gradients.into_iter().try_for_each(|list| generators.apply(list, update))?;
    if let Some(mean) = mean {
        mean.follow(real_a.size4()?.0 as u64, update.now)?;
    }

    let draw = |name| Seed(config.seed).stream(name, step);
    let [fake_a, fake_b] = images.as_slice() else {
        return Err(Error::new(ErrorKind::Torch, "the generators made no images"));
    };
    let fake_a = pool_a.exchange(fake_a, &mut draw("pool_a"))?;
    let fake_b = pool_b.exchange(fake_b, &mut draw("pool_b"))?;
    // What they made is no longer needed: its memory serves the discriminators.
    drop(images);

    let work = |images: [&Tensor; 4]| halves::discriminators(nets, PerDomain { a: disc_a, b: disc_b }, images, how);
    let made = graphs.run(Half::Discriminators, [real_a, real_b, &fake_a, &fake_b], work)?;
    let update = Update { lr: lr * disc_lr_ratio, ..update };
    for (adam, list) in [disc_a, disc_b].into_iter().zip(made.gradients) {
        adam.apply(list, update)?;
    }
    if update.now {
        [&nets.disc_a, &nets.disc_b].into_iter().try_for_each(Discriminator::follow_weights)?;
    }
    losses.extend(made.losses);
    Ok(Tensor::f_stack(&losses, 0)?)
}

/// Measures without learning; gives the numbers in the order of [`METRIC_NAMES`].
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
