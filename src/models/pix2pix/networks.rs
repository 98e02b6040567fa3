//! The two networks of a Pix2Pix.

use tch::{Device, Kind, Tensor};

use super::config::Pix2PixConfig;
use crate::dataset::PerDomain;
use crate::error::Result;
use crate::models::core::{make_room, trained_bytes};
use crate::nn::{Initializer, Network, Parameters, Plan, load_parameters};
use crate::random::Seed;

/// Names of the networks in a saved model.
pub(super) const DISCRIMINATOR: &str = "D";
pub(super) const GENERATOR: &str = "G";

#[derive(Debug)]
pub(super) struct Networks {
    pub discriminator: Network,
    pub generator: Network,
}

impl Networks {
    /// Creates networks for this many channels, with new weights, or with zeros for weights that will be loaded.
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

    /// Lists the plan of each network by its name, in the order of a saved model.
    pub fn plans(&self) -> Vec<(&str, &Plan)> {
        [&self.discriminator, &self.generator].map(|network| (network.name(), network.plan())).into()
    }

    /// Lists all parameters, in the order of a saved model.
    pub fn parameters(&self) -> Parameters {
        let mut list = self.discriminator.parameters();
        list.extend(self.generator.parameters());
        list
    }

    /// Loads weights by name; nothing changes if one does not match.
    pub fn load(&self, weights: &[(String, Tensor)]) -> Result<()> {
        load_parameters(&self.parameters(), weights)
    }
}
