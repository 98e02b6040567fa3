//! The two networks of a Pix2Pix.

use tch::{Device, Kind, Tensor};

use super::config::Pix2PixConfig;
use crate::dataset::PerDomain;
use crate::error::Result;
use crate::models::core::{make_room, trained_bytes};
use crate::nn::{Initializer, Network, Parameters, Plan, load_parameters};
use crate::random::Seed;

/// What the networks are called in a saved model.
pub(super) const DISCRIMINATOR: &str = "D";
pub(super) const GENERATOR: &str = "G";

#[derive(Debug)]
pub(super) struct Networks {
    pub discriminator: Network,
    pub generator: Network,
}

impl Networks {
    /// Makes networks for tensors of so many channels, with fresh weights, or with zeros for weights that are about to be loaded.
    pub fn new(
        config: &Pix2PixConfig,
        channels: PerDomain<usize>,
        (device, kind): (Device, Kind),
        is_drawn: bool,
    ) -> Result<Self> {
        make_room(trained_bytes(config.parameter_count(channels)), device)?;
        let scheme = is_drawn.then_some(config.initialization);
        let init = Initializer { seed: Seed(config.seed), scheme, device, kind };
        Ok(Self {
            discriminator: Network::new(DISCRIMINATOR, config.discriminator_plan(channels), &init)?,
            generator: Network::new(GENERATOR, config.generator_plan(channels), &init)?,
        })
    }

    /// Lists what each network is made of, by its name, in the order of a saved model.
    pub fn plans(&self) -> Vec<(&str, &Plan)> {
        [&self.discriminator, &self.generator].map(|network| (network.name(), network.plan())).into()
    }

    /// Lists all parameters, in the order of a saved model.
    pub fn parameters(&self) -> Parameters {
        let mut list = self.discriminator.parameters();
        list.extend(self.generator.parameters());
        list
    }

    /// Takes over weights by name; nothing changes when one does not fit.
    pub fn load(&self, weights: &[(String, Tensor)]) -> Result<()> {
        load_parameters(&self.parameters(), weights)
    }
}
