//! The trait for the part of a model that differs between kinds.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tch::{Device, Tensor};

use crate::dataset::{DataBunch, DatasetType, Domain, DomainSpec, PerDomain};
use crate::device::Precision;
use crate::error::Result;
use crate::nn::{Network, Parameters, Plan};
use crate::package::emd::{Emd, ModelKind};
use crate::train::{MemoryEstimate, StepContext};

/// How the weights of new networks are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Drawn from the seed of the options.
    Drawn,
    /// Zeros, for weights that will be loaded.
    Zeros,
}

/// The part of a model that differs between kinds: its options, networks, losses and training step.
/// [`Learner`](super::Learner) does the rest.
///
/// The networks that translate are called generators here. Images are (N, C, H, W) in [-1, 1], on the model's device.
#[allow(private_interfaces, reason = "models are this crate's own, and so is what they say to the learner")]
pub trait Model: fmt::Debug + Send + Sized + 'static {
    /// The kind of model, as named in definitions.
    const KIND: &'static ModelKind;
    /// The types of data that it can be trained on.
    const DATASETS: &'static [DatasetType];
    /// The target domains, each translated from the other one, in the order in which results are shown. Callers that
    /// request a generator name one of these.
    const TARGETS: &'static [Domain];
    /// Names of the losses that a step returns, in order.
    const LOSS_NAMES: &'static [&'static str];
    /// Names of the metrics that a validation returns, in order; lower is better.
    const METRIC_NAMES: &'static [&'static str];
    /// Keys of options that are written only if they are set.
    const OPTIONAL_KEYS: &'static [&'static str] = &[];

    /// The options that a model is built with.
    type Config: Clone + fmt::Debug + PartialEq + Serialize + DeserializeOwned;

    /// Returns the default options with this seed.
    fn default_config(seed: u64) -> Self::Config;

    /// Checks that each option is in range.
    ///
    /// # Errors
    /// `Usage` for the first that is not.
    fn check(config: &Self::Config) -> Result<()>;

    /// Checks that the options suit images of these domains.
    ///
    /// # Errors
    /// `Usage` for the first that is not.
    fn check_domains(config: &Self::Config, domains: &PerDomain<DomainSpec>) -> Result<()>;

    /// Returns the shortest side, in pixels, of chips that can be trained on.
    fn smallest_side(config: &Self::Config) -> i64;

    /// Counts the parameters of all networks for this many channels. Each has two moments in training.
    fn parameter_count(config: &Self::Config, channels: PerDomain<usize>) -> u128;

    /// Returns the name of the generator that makes images of domain `to`, and its plan.
    fn generator_plan(config: &Self::Config, channels: PerDomain<usize>, to: Domain) -> (&'static str, Plan);

    /// Names what keeps arcgis.learn from opening a model of these domains, if anything does.
    fn beyond_arcgis(config: &Self::Config, domains: &PerDomain<DomainSpec>) -> Option<&'static str>;

    /// Describes networks and losses for people, as names and values.
    fn description(config: &Self::Config, channels: PerDomain<usize>) -> Vec<(&'static str, String)>;

    /// Returns the options of a model that arcgis.learn saved.
    ///
    /// # Errors
    /// `Format` if the weights lack what the options follow from.
    fn config_of_arcgis(definition: &Emd, weights: &[(String, Tensor)]) -> Result<Self::Config>;

    /// Writes the `ModelParameters` of a definition.
    fn define(config: &Self::Config, definition: &mut Emd);

    /// Builds the networks for this many channels.
    ///
    /// # Errors
    /// `Limits` if they and their optimizers need more memory than is free.
    fn build(config: Self::Config, channels: PerDomain<usize>, device: Device, start: Start) -> Result<Self>;

    /// Returns the options.
    fn config(&self) -> &Self::Config;

    /// Lists the plan of each network by its name, in the order of a saved model.
    fn plans(&self) -> Vec<(&str, &Plan)>;

    /// Returns the generator that makes images of domain `to`, one of the [targets](Self::TARGETS), for translating.
    fn generator(&self, to: Domain) -> &Network;

    /// Loads weights by name, and discards what training changed besides.
    ///
    /// # Errors
    /// `Usage` for the first that does not match; nothing is changed then.
    fn load(&mut self, weights: &[(String, Tensor)]) -> Result<()>;

    /// Returns the parameters that a saved model contains, which any reader can use.
    ///
    /// # Errors
    /// Whatever libtorch reports.
    fn saved_parameters(&self) -> Result<Parameters>;

    /// Creates the state that training needs besides the networks, if it does not exist yet.
    ///
    /// # Errors
    /// `Torch` if memory is short.
    fn begin_training(&mut self) -> Result<()>;

    /// Frees memory that only training needs and that the next training can allocate again.
    fn end_training(&mut self);

    /// Trains on one batch and returns the losses, 1-D, in the order of [`LOSS_NAMES`](Self::LOSS_NAMES).
    ///
    /// # Errors
    /// Whatever libtorch reports.
    fn train_step(&mut self, batch: (&Tensor, &Tensor), context: StepContext<'_>) -> Result<Tensor>;

    /// Measures without training and returns the metrics, 1-D, in the order of [`METRIC_NAMES`](Self::METRIC_NAMES).
    ///
    /// # Errors
    /// Whatever libtorch reports.
    fn validate(&self, batch: (&Tensor, &Tensor)) -> Result<Tensor>;

    /// Returns whether a training step in f32 on the CPU gives the same bits with any number of threads. Only then does
    /// the number change during training. False by default.
    fn is_same_on_any_threads(&self) -> bool {
        false
    }

    /// Lists everything that training changes; the tensors share memory with the model.
    fn state(&self) -> Parameters;

    /// Restores the state that [`state`](Self::state) listed.
    ///
    /// # Errors
    /// `Usage` for the state of another architecture; nothing is changed then.
    fn restore(&mut self, state: &[(String, Tensor)]) -> Result<()>;

    /// Estimates the memory of training.
    fn memory_need(&self, data: &DataBunch, precision: Precision, accumulate: usize) -> MemoryEstimate;

    /// Freezes the first layers of the generators, or lets them train.
    fn set_frozen(&mut self, is_frozen: bool);

    /// Returns whether the first layers of the generators are frozen.
    fn is_frozen(&self) -> bool;

    /// Returns whether the last training step was replayed from CUDA graphs.
    fn uses_cuda_graphs(&self) -> bool {
        false
    }

    /// Returns why steps are not recorded as CUDA graphs, if recording failed.
    fn cuda_graphs_failure(&self) -> Option<&str> {
        None
    }
}
