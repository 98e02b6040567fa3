//! What is particular to one kind of model.

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

/// How the weights of new networks begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Drawn from the seed of the options.
    Drawn,
    /// Zeros, for weights that are about to be loaded.
    Zeros,
}

/// What is particular to one kind of model: its options, its networks, its losses and its training step.
/// [`Learner`](super::Learner) does the rest.
///
/// The networks that translate are called generators here. Images are (N, C, H, W) in [-1, 1], on the model's device.
#[allow(private_interfaces, reason = "models are this crate's own, and so is what they say to the learner")]
pub trait Model: fmt::Debug + Send + Sized + 'static {
    /// The kind of model, as definitions name it.
    const KIND: &'static ModelKind;
    /// The kinds of data that it trains on.
    const DATASETS: &'static [DatasetType];
    /// The domains whose images it makes, each from those of the other; in the order in which results are shown. What asks for
    /// a generator names one of these.
    const TARGETS: &'static [Domain];
    /// Names of the losses that a step gives, in order.
    const LOSS_NAMES: &'static [&'static str];
    /// Names of the numbers that a validation gives, in order; all are better when lower.
    const METRIC_NAMES: &'static [&'static str];
    /// Keys of options that are written only where they are on.
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

    /// Checks that the options are for images like these.
    ///
    /// # Errors
    /// `Usage` for the first that is not.
    fn check_domains(config: &Self::Config, domains: &PerDomain<DomainSpec>) -> Result<()>;

    /// Returns the shortest side, in pixels, of chips that can be trained on.
    fn smallest_side(config: &Self::Config) -> i64;

    /// Counts the parameters of all networks for tensors of so many channels. While it trains each has two moments.
    fn parameter_count(config: &Self::Config, channels: PerDomain<usize>) -> u128;

    /// Returns the name of the generator that makes images of domain `to`, and what it is made of.
    fn generator_plan(config: &Self::Config, channels: PerDomain<usize>, to: Domain) -> (&'static str, Plan);

    /// Names what keeps arcgis.learn from opening a model of these domains, where there is such a thing.
    fn beyond_arcgis(config: &Self::Config, domains: &PerDomain<DomainSpec>) -> Option<&'static str>;

    /// Describes networks and losses for people: names and values.
    fn description(config: &Self::Config, channels: PerDomain<usize>) -> Vec<(&'static str, String)>;

    /// Returns the options of a model that arcgis.learn saved.
    ///
    /// # Errors
    /// `Format` where the weights lack what the options follow from.
    fn config_of_arcgis(definition: &Emd, weights: &[(String, Tensor)]) -> Result<Self::Config>;

    /// Writes into a definition what its `ModelParameters` say of the options.
    fn define(config: &Self::Config, definition: &mut Emd);

    /// Makes the networks for tensors of so many channels.
    ///
    /// # Errors
    /// `Limits` where they and what trains them take more memory than is free.
    fn build(config: Self::Config, channels: PerDomain<usize>, device: Device, start: Start) -> Result<Self>;

    /// Returns the options.
    fn config(&self) -> &Self::Config;

    /// Lists what each network is made of, by its name, in the order of a saved model.
    fn plans(&self) -> Vec<(&str, &Plan)>;

    /// Returns the generator that makes images of domain `to`, one of the [targets](Self::TARGETS), for those who look at them.
    fn generator(&self, to: Domain) -> &Network;

    /// Takes over weights by name, and forgets what training changed besides.
    ///
    /// # Errors
    /// `Usage` for the first that does not fit; nothing is changed then.
    fn load(&mut self, weights: &[(String, Tensor)]) -> Result<()>;

    /// Returns the parameters that a saved model holds, which any reader can use.
    ///
    /// # Errors
    /// What libtorch reports.
    fn saved_parameters(&self) -> Result<Parameters>;

    /// Makes what training changes besides the networks, where it is not there yet.
    ///
    /// # Errors
    /// `Torch` when memory is short.
    fn begin_training(&mut self) -> Result<()>;

    /// Gives back memory that serves training alone and that the next training can do without.
    fn end_training(&mut self);

    /// Learns from one batch and returns the losses, 1-D, in the order of [`LOSS_NAMES`](Self::LOSS_NAMES).
    ///
    /// # Errors
    /// What libtorch reports.
    fn train_step(&mut self, batch: (&Tensor, &Tensor), context: StepContext<'_>) -> Result<Tensor>;

    /// Measures without learning and returns the numbers, 1-D, in the order of [`METRIC_NAMES`](Self::METRIC_NAMES).
    ///
    /// # Errors
    /// What libtorch reports.
    fn validate(&self, batch: (&Tensor, &Tensor)) -> Result<Tensor>;

    /// Returns whether a training step in f32 on the processor gives the same bits with any number of threads. Only then is the
    /// number changed while a model trains. The default is that it does not.
    fn is_same_on_any_threads(&self) -> bool {
        false
    }

    /// Lists everything that training changes; the tensors share memory with the model.
    fn state(&self) -> Parameters;

    /// Puts back what [`state`](Self::state) listed.
    ///
    /// # Errors
    /// `Usage` for the state of another architecture; nothing is changed then.
    fn restore(&mut self, state: &[(String, Tensor)]) -> Result<()>;

    /// Estimates what training takes.
    fn memory_need(&self, data: &DataBunch, precision: Precision, accumulate: usize) -> MemoryEstimate;

    /// Keeps the first layers of the generators as they are, or lets them learn.
    fn set_frozen(&mut self, is_frozen: bool);

    /// Returns whether the first layers of the generators stay as they are.
    fn is_frozen(&self) -> bool;

    /// Returns whether the last training step was replayed from CUDA graphs.
    fn uses_cuda_graphs(&self) -> bool {
        false
    }

    /// Returns why steps are not recorded as CUDA graphs, where recording failed.
    fn cuda_graphs_failure(&self) -> Option<&str> {
        None
    }
}
