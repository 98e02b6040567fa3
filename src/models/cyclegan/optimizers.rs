//! The training state of a CycleGAN besides its networks.

use super::config::CycleGanConfig;
use super::graphs::Graphs;
use super::networks::Networks;
use crate::error::Result;
use crate::loss::ImagePool;
use crate::models::core::{self, freeze};
use crate::nn::Parameters;
use crate::optim::{Adam, RunningMean};

/// The training state of a CycleGAN besides its networks.
#[derive(Debug)]
pub(super) struct Optimizers {
    pub(super) generators: Adam,
    pub(super) disc_a: Adam,
    pub(super) disc_b: Adam,
    pub(super) mean: Option<RunningMean>,
    pub(super) pool_a: ImagePool,
    pub(super) pool_b: ImagePool,
    /// Prefixes of the names of the generators' encoder parameters.
    encoders: Vec<String>,
    pub(super) graphs: Graphs,
}

impl Optimizers {
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

    /// Returns the recordings of training steps on CUDA.
    pub fn graphs(&self) -> &Graphs {
        &self.graphs
    }

    pub fn graphs_mut(&mut self) -> &mut Graphs {
        &mut self.graphs
    }

    /// Returns the pools of domains A and B, by the prefix of their images' names.
    pub fn pools(&self) -> [(&'static str, &ImagePool); 2] {
        [("pool_a.", &self.pool_a), ("pool_b.", &self.pool_b)]
    }

    pub fn pools_mut(&mut self) -> [(&'static str, &mut ImagePool); 2] {
        [("pool_a.", &mut self.pool_a), ("pool_b.", &mut self.pool_b)]
    }
}

impl core::Optimizers for Optimizers {
    fn state(&self) -> Parameters {
        let moments = [&self.generators, &self.disc_a, &self.disc_b].into_iter().flat_map(Adam::state);
        moments.chain(self.mean.iter().flat_map(RunningMean::state)).collect()
    }

    fn freeze_encoders(&mut self, is_frozen: bool) {
        freeze(&mut self.generators, &self.encoders, is_frozen);
        self.graphs.clear();
    }

    fn forget(&mut self) {
        self.mean.iter_mut().for_each(RunningMean::forget);
        [&mut self.generators, &mut self.disc_a, &mut self.disc_b].into_iter().for_each(Adam::forget);
        self.graphs.clear();
    }
}
