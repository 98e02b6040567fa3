//! The networks of a Pix2Pix and their training state.

use tch::{Device, Kind, Tensor};

use super::config::{Generator, Pix2PixConfig};
use super::definition::{self, KIND};
use super::memory;
use super::networks::{GENERATOR, Networks};
use super::optimizers::Optimizers;
use super::step::{self, LOSS_NAMES, METRIC_NAMES};
use crate::dataset::{DataBunch, DatasetType, Domain, DomainSpec, PerDomain};
use crate::device::Precision;
use crate::error::Result;
use crate::loss::AdversarialLoss;
use crate::models::core::{Model, OptimizerSlot, Start};
use crate::nn::{Network, Parameters, Plan, SMALLEST_PAIR_SIDE};
use crate::package::emd::{Emd, ModelKind};
use crate::train::{MemoryEstimate, StepContext};

/// The networks of a [`Pix2Pix`](super::Pix2Pix), and what training changes besides them.
#[derive(Debug)]
pub struct Pix2PixModel {
    config: Pix2PixConfig,
    pub(super) nets: Networks,
    device: Device,
    optimizers: OptimizerSlot<Optimizers>,
}

impl Pix2PixModel {
    pub(super) fn new(config: Pix2PixConfig, nets: Networks, device: Device) -> Self {
        Self { config, nets, device, optimizers: OptimizerSlot::new() }
    }
}

#[allow(private_interfaces, reason = "models are this crate's own, and so is what they say to the learner")]
impl Model for Pix2PixModel {
    const KIND: &'static ModelKind = &KIND;
    const DATASETS: &'static [DatasetType] = &[DatasetType::Pix2Pix];
    const TARGETS: &'static [Domain] = &[Domain::B];
    const LOSS_NAMES: &'static [&'static str] = LOSS_NAMES;
    const METRIC_NAMES: &'static [&'static str] = METRIC_NAMES;

    type Config = Pix2PixConfig;

    fn default_config(seed: u64) -> Pix2PixConfig {
        Pix2PixConfig { seed, ..Pix2PixConfig::default() }
    }

    fn check(config: &Pix2PixConfig) -> Result<()> {
        config.check()
    }

    fn check_domains(_: &Pix2PixConfig, domains: &PerDomain<DomainSpec>) -> Result<()> {
        Pix2PixConfig::check_domains(domains)
    }

    fn smallest_side(_: &Pix2PixConfig) -> i64 {
        SMALLEST_PAIR_SIDE
    }

    fn parameter_count(config: &Pix2PixConfig, channels: PerDomain<usize>) -> u128 {
        config.parameter_count(channels)
    }

    fn generator_plan(config: &Pix2PixConfig, channels: PerDomain<usize>, _: Domain) -> (&'static str, Plan) {
        (GENERATOR, config.generator_plan(channels))
    }

    fn beyond_arcgis(config: &Pix2PixConfig, domains: &PerDomain<DomainSpec>) -> Option<&'static str> {
        let channels = PerDomain::from_fn(|domain| domains.get(domain).normalizer.channels());
        config.beyond_arcgis(channels, domains.a.chip.0)
    }

    fn description(config: &Pix2PixConfig, channels: PerDomain<usize>) -> Vec<(&'static str, String)> {
        let Pix2PixConfig { gen_levels, gen_blocks, gen_features, disc_features, lambda_l1, .. } = config;
        let adversarial = config.adversarial.in_words();
        let generator = match config.generator {
            Generator::Unet | Generator::FoldedUnet => format!("U-Net of {gen_levels} levels, {gen_features} features"),
            Generator::Resnet => format!("{gen_blocks} residual blocks, {gen_features} features"),
        };
        vec![
            ("Generator", generator),
            ("Discriminator", format!("94 x 94 patches of pairs, {disc_features} features")),
            ("Parameters", format!("{} in all", config.parameter_count(channels))),
            ("Losses", format!("{adversarial}; {lambda_l1} times the mean absolute difference")),
        ]
    }

    fn config_of_arcgis(_: &Emd, weights: &[(String, Tensor)]) -> Result<Pix2PixConfig> {
        definition::config_of(weights)
    }

    fn define(_: &Pix2PixConfig, _: &mut Emd) {
        // arcgis.learn's keys only describe backbones, which do not exist here.
    }

    fn build(config: Pix2PixConfig, channels: PerDomain<usize>, device: Device, start: Start) -> Result<Self> {
        let nets = Networks::new(&config, channels, (device, Kind::Float), start == Start::Drawn)?;
        Ok(Self::new(config, nets, device))
    }

    fn config(&self) -> &Pix2PixConfig {
        &self.config
    }

    fn plans(&self) -> Vec<(&str, &Plan)> {
        self.nets.plans()
    }

    fn generator(&self, _: Domain) -> &Network {
        &self.nets.generator
    }

    fn load(&mut self, weights: &[(String, Tensor)]) -> Result<()> {
        self.nets.load(weights)?;
        self.optimizers.clear();
        Ok(())
    }

    fn saved_parameters(&self) -> Result<Parameters> {
        Ok(self.nets.parameters())
    }

    fn begin_training(&mut self) -> Result<()> {
        self.optimizers.get_or_make(|| Optimizers::new(&self.nets)).map(drop)
    }

    fn end_training(&mut self) {}

    fn train_step(&mut self, batch: (&Tensor, &Tensor), context: StepContext<'_>) -> Result<Tensor> {
        let optimizers = self.optimizers.get_or_make(|| Optimizers::new(&self.nets))?;
        step::train_step(&self.nets, optimizers, &self.config, batch, context)
    }

    fn validate(&self, batch: (&Tensor, &Tensor)) -> Result<Tensor> {
        step::validate(&self.nets, &self.config, batch)
    }

    fn is_same_on_any_threads(&self) -> bool {
        // libtorch sums in parts in a U-Net's transposed convolutions, and computes sigmoids differently at their ends.
        self.config.generator == Generator::Resnet && self.config.adversarial == AdversarialLoss::LeastSquares
    }

    fn state(&self) -> Parameters {
        let mut list = self.nets.parameters();
        list.extend(self.optimizers.state());
        list
    }

    fn restore(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        self.optimizers.restore(self.nets.parameters(), state, || Optimizers::new(&self.nets))
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
}
