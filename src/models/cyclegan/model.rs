//! The networks of a CycleGAN and their training state.

use tch::{Device, Kind, Tensor};

use super::config::{CycleGanConfig, OPTIONAL_KEYS};
use super::definition::{KIND, ModelParameters};
use super::memory;
use super::networks::Networks;
use super::optimizers::Optimizers;
use super::step::{self, LOSS_NAMES, METRIC_NAMES};
use crate::dataset::{DataBunch, DatasetType, Domain, DomainSpec, PerDomain};
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::loss::AdversarialLoss;
use crate::models::core::{Model, OptimizerSlot, Start, rows};
use crate::nn::{Network, Parameters, Plan, copied};
use crate::optim::{Adam, RunningMean};
use crate::package::emd::{Emd, ModelKind};
use crate::train::{MemoryEstimate, StepContext};

/// The networks of a [`CycleGan`](super::CycleGan), and what training changes besides them.
#[derive(Debug)]
pub struct CycleGanModel {
    pub(super) config: CycleGanConfig,
    pub(super) nets: Networks,
    channels: PerDomain<usize>,
    device: Device,
    optimizers: OptimizerSlot<Optimizers>,
}

impl CycleGanModel {
    /// Creates a model from networks, without optimizers.
    pub(super) fn new(config: CycleGanConfig, nets: Networks, channels: PerDomain<usize>, device: Device) -> Self {
        Self { config, nets, channels, device, optimizers: OptimizerSlot::new() }
    }

    /// Returns the optimizers, which are created if there are none.
    pub(super) fn optimizers(&mut self) -> Result<&mut Optimizers> {
        self.optimizers.get_or_make(|| Optimizers::new(&self.nets, &self.config))
    }

    /// Returns the images of the pools in a state, by the prefix of their names, after checking them.
    fn pooled(&mut self, state: &[(String, Tensor)]) -> Result<Vec<Vec<Tensor>>> {
        let (device, channels) = (self.device, self.channels);
        let mut pools = Vec::new();
        for ((prefix, pool), domain) in self.optimizers()?.pools().into_iter().zip(Domain::BOTH) {
            let own = state.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, t)| copied(t, device));
            let own = own.collect::<Result<Vec<_>>>()?;
            pool.check(&own, *channels.get(domain))?;
            pools.push(own);
        }
        Ok(pools)
    }

    /// Lists parameters and vectors of spectral norms.
    fn changing_of_networks(&self) -> Parameters {
        let mut list = self.nets.parameters();
        list.extend(self.nets.vectors());
        list
    }
}

#[allow(private_interfaces, reason = "models are this crate's own, and so is what they say to the learner")]
impl Model for CycleGanModel {
    const KIND: &'static ModelKind = &KIND;
    const DATASETS: &'static [DatasetType] = &[DatasetType::CycleGan, DatasetType::Pix2Pix];
    const TARGETS: &'static [Domain] = &[Domain::B, Domain::A];
    const LOSS_NAMES: &'static [&'static str] = LOSS_NAMES;
    const METRIC_NAMES: &'static [&'static str] = METRIC_NAMES;
    const OPTIONAL_KEYS: &'static [&'static str] = OPTIONAL_KEYS;

    type Config = CycleGanConfig;

    fn default_config(seed: u64) -> CycleGanConfig {
        CycleGanConfig { seed, ..CycleGanConfig::default() }
    }

    fn check(config: &CycleGanConfig) -> Result<()> {
        config.check()
    }

    fn check_domains(config: &CycleGanConfig, domains: &PerDomain<DomainSpec>) -> Result<()> {
        config.check_domains(domains)
    }

    fn smallest_side(config: &CycleGanConfig) -> i64 {
        config.smallest_side()
    }

    fn parameter_count(config: &CycleGanConfig, channels: PerDomain<usize>) -> u128 {
        config.parameter_count(channels)
    }

    fn generator_plan(config: &CycleGanConfig, channels: PerDomain<usize>, to: Domain) -> (&'static str, Plan) {
        let plan = config.generator_plan(*channels.get(to.other()), *channels.get(to));
        (Networks::generator_name(to), plan)
    }

    fn beyond_arcgis(config: &CycleGanConfig, domains: &PerDomain<DomainSpec>) -> Option<&'static str> {
        config.beyond_arcgis(PerDomain::from_fn(|domain| domains.get(domain).normalizer.channels()))
    }

    fn description(config: &CycleGanConfig, channels: PerDomain<usize>) -> Vec<(&'static str, String)> {
        let adversarial = config.adversarial.in_words();
        let CycleGanConfig { gen_blocks, gen_features, disc_features, cycle_weight, identity_weight, .. } = config;
        vec![
            ("Generators", format!("{gen_blocks} residual blocks, {gen_features} features")),
            ("Discriminators", format!("70 x 70 patches, {disc_features} features")),
            ("Parameters", format!("{} in all", config.parameter_count(channels))),
            ("Losses", format!("{adversarial}; cycle {cycle_weight}; identity {identity_weight} of it")),
        ]
    }

    fn config_of_arcgis(definition: &Emd, weights: &[(String, Tensor)]) -> Result<CycleGanConfig> {
        let ModelParameters { gen_blocks, lsgan } = ModelParameters::of(definition)?;
        Ok(CycleGanConfig {
            gen_blocks,
            gen_features: first_features(weights, "G_A.1.weight")?,
            disc_features: first_features(weights, "D_A.0.weight")?,
            adversarial: AdversarialLoss::of_lsgan(lsgan),
            pool_size: 0,
            ..CycleGanConfig::default()
        })
    }

    fn define(config: &CycleGanConfig, definition: &mut Emd) {
        let lsgan = config.adversarial == AdversarialLoss::LeastSquares;
        ModelParameters { gen_blocks: config.gen_blocks, lsgan }.write(definition);
    }

    fn build(config: CycleGanConfig, channels: PerDomain<usize>, device: Device, start: Start) -> Result<Self> {
        let nets = match start {
            Start::Drawn => Networks::new(&config, channels, device, Kind::Float)?,
            Start::Zeros => Networks::blank(&config, channels, device)?,
        };
        Ok(Self::new(config, nets, channels, device))
    }

    fn config(&self) -> &CycleGanConfig {
        &self.config
    }

    fn plans(&self) -> Vec<(&str, &Plan)> {
        self.nets.plans()
    }

    fn generator(&self, to: Domain) -> &Network {
        self.nets.generator(to)
    }

    fn load(&mut self, weights: &[(String, Tensor)]) -> Result<()> {
        self.nets.load(weights)?;
        self.optimizers.clear();
        Ok(())
    }

    fn saved_parameters(&self) -> Result<Parameters> {
        self.nets.saved_parameters()
    }

    fn begin_training(&mut self) -> Result<()> {
        self.optimizers().map(drop)
    }

    fn end_training(&mut self) {
        if let Some(optimizers) = self.optimizers.get_mut() {
            optimizers.graphs_mut().clear();
        }
    }

    fn train_step(&mut self, batch: (&Tensor, &Tensor), context: StepContext<'_>) -> Result<Tensor> {
        let optimizers = self.optimizers.get_or_make(|| Optimizers::new(&self.nets, &self.config))?;
        step::train_step(&self.nets, optimizers, &self.config, batch, context)
    }

    fn validate(&self, batch: (&Tensor, &Tensor)) -> Result<Tensor> {
        step::validate(&self.nets, &self.config, batch)
    }

    fn is_same_on_any_threads(&self) -> bool {
        // libtorch sums spectral norms and means of colors in parts, and computes sigmoids differently at their ends.
        let CycleGanConfig { spectral_norm, diff_augment, adversarial, .. } = &self.config;
        !spectral_norm && !diff_augment.has_color() && *adversarial == AdversarialLoss::LeastSquares
    }

    fn state(&self) -> Parameters {
        let mut tensors = self.changing_of_networks();
        tensors.extend(self.optimizers.state());
        for (prefix, pool) in self.optimizers.get().into_iter().flat_map(Optimizers::pools) {
            tensors.extend(pool.images().iter().enumerate().map(|(i, t)| (format!("{prefix}{i}"), t.shallow_clone())));
        }
        tensors
    }

    fn restore(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let pooled = |name: &str| name.starts_with("pool_");
        let (images, rest): (Parameters, Parameters) =
            state.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).partition(|(name, _)| pooled(name));
        // All errors are found before anything changes.
        RunningMean::check(&rest)?;
        let pools = match rest.iter().any(|(name, _)| Adam::is_moment(name)) {
            true => self.pooled(&images)?,
            false => Vec::new(),
        };
        let networks = self.changing_of_networks();
        self.optimizers.restore(networks, &rest, || Optimizers::new(&self.nets, &self.config))?;
        let Some(optimizers) = self.optimizers.get_mut() else { return self.nets.restart_mean() };
        for ((_, pool), images) in optimizers.pools_mut().into_iter().zip(pools) {
            pool.restore(images);
        }
        Ok(())
    }

    fn memory_need(&self, data: &DataBunch, precision: Precision, accumulate: usize) -> MemoryEstimate {
        memory::estimate((&self.config, self.device), data, precision, accumulate)
    }

    fn set_frozen(&mut self, is_frozen: bool) {
        self.optimizers.set_frozen(is_frozen);
    }

    fn is_frozen(&self) -> bool {
        self.optimizers.is_frozen()
    }

    fn uses_cuda_graphs(&self) -> bool {
        self.optimizers.get().is_some_and(|optimizers| optimizers.graphs().are_used())
    }

    fn cuda_graphs_failure(&self) -> Option<&str> {
        self.optimizers.get().and_then(|optimizers| optimizers.graphs().failure())
    }
}

fn first_features(weights: &[(String, Tensor)], name: &str) -> Result<usize> {
    let missing = || Error::new(ErrorKind::Format, format!("tensor {name} is missing from the weights"));
    rows(weights, name).ok_or_else(missing)
}
