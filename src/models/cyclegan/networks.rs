//! The four networks of a CycleGAN.

use tch::{Device, Kind, Tensor};

use super::config::CycleGanConfig;
use crate::dataset::{Domain, PerDomain};
use crate::error::Result;
use crate::models::core::make_room;
use crate::nn::{Discriminator, Initializer, Network, Parameters, Plan, load_parameters};
use crate::random::Seed;

/// The four networks; in a saved model they are `D_A`, `D_B`, `G_A`, `G_B`, where `G_A` makes images of domain A.
#[derive(Debug)]
pub(crate) struct Networks {
    pub disc_a: Discriminator,
    pub disc_b: Discriminator,
    pub gen_b2a: Network,
    pub gen_a2b: Network,
    /// The running mean of both generators, by target domain.
    mean: Option<PerDomain<Network>>,
}

impl Networks {
    /// Returns the name of the generator that makes images of domain `to` in a saved model.
    pub fn generator_name(to: Domain) -> &'static str {
        match to {
            Domain::A => "G_A",
            Domain::B => "G_B",
        }
    }

    /// Returns the name of the discriminator that judges images of `domain` in a saved model.
    pub fn discriminator_name(domain: Domain) -> &'static str {
        match domain {
            Domain::A => "D_A",
            Domain::B => "D_B",
        }
    }

    /// Creates networks for this many channels with new weights.
    pub fn new(config: &CycleGanConfig, channels: PerDomain<usize>, device: Device, kind: Kind) -> Result<Self> {
        let scheme = Some(config.initialization);
        let nets = Self::begin(config, channels, Initializer { seed: Seed(config.seed), scheme, device, kind })?;
        nets.restart_mean()?;
        Ok(nets)
    }

    /// Creates networks of zeros, for weights that will be loaded.
    pub fn blank(config: &CycleGanConfig, channels: PerDomain<usize>, device: Device) -> Result<Self> {
        Self::begin(config, channels, Initializer { seed: Seed(config.seed), scheme: None, device, kind: Kind::Float })
    }

    fn begin(config: &CycleGanConfig, channels: PerDomain<usize>, init: Initializer) -> Result<Self> {
        make_room(config.trained_bytes(channels), init.device)?;
        let PerDomain { a, b } = channels;
        let makers = |init: &Initializer| -> Result<_> {
            let network = |name, input, output| Network::new(name, config.generator_plan(input, output), init);
            let [name_a, name_b] = Domain::BOTH.map(Self::generator_name);
            Ok(PerDomain { a: network(name_a, b, a)?, b: network(name_b, a, b)? })
        };
        let PerDomain { a: gen_b2a, b: gen_a2b } = makers(&init)?;
        let blank = Initializer { scheme: None, ..init };
        Ok(Self {
            disc_a: Discriminator::new(Self::discriminator_name(Domain::A), config.discriminator_shape(a), &init)?,
            disc_b: Discriminator::new(Self::discriminator_name(Domain::B), config.discriminator_shape(b), &init)?,
            gen_b2a,
            gen_a2b,
            mean: config.has_average().then(|| makers(&blank)).transpose()?,
        })
    }

    /// Lists the plan of each network by its name, in the order of a saved model.
    pub fn plans(&self) -> Vec<(&str, &Plan)> {
        let makers = [&self.gen_b2a, &self.gen_a2b];
        let all = self.disc_a.networks().chain(self.disc_b.networks()).chain(makers);
        all.map(|network| (network.name(), network.plan())).collect()
    }

    /// Lists all parameters that are trained, in the order of a saved model.
    pub fn parameters(&self) -> Parameters {
        let mut list = self.disc_a.parameters();
        list.extend(self.disc_b.parameters());
        list.extend(self.generator_parameters());
        list
    }

    /// Lists the parameters of both generators, which share an optimizer.
    pub fn generator_parameters(&self) -> Parameters {
        let mut list = self.gen_b2a.parameters();
        list.extend(self.gen_a2b.parameters());
        list
    }

    /// Lists the prefixes of the names of parameters before the residual blocks of both generators.
    pub fn encoders(&self) -> Vec<String> {
        [&self.gen_b2a, &self.gen_a2b].into_iter().flat_map(Network::encoder).collect()
    }

    /// Returns the parameters that a saved model contains, which any reader can use: for generators, those that are
    /// used for translations; for discriminators, equivalent ones without spectral norms.
    pub fn saved_parameters(&self) -> Result<Parameters> {
        let mut list = self.disc_a.applied_parameters()?;
        list.extend(self.disc_b.applied_parameters()?);
        list.extend(self.mean_parameters().unwrap_or_else(|| self.generator_parameters()));
        Ok(list)
    }

    /// Lists what training changes in the discriminators besides their parameters.
    pub fn vectors(&self) -> Parameters {
        let mut list = self.disc_a.vectors();
        list.extend(self.disc_b.vectors());
        list
    }

    /// Lists the running mean of both generators' parameters, in their order and under their names.
    pub fn mean_parameters(&self) -> Option<Parameters> {
        let PerDomain { a, b } = self.mean.as_ref()?;
        let mut list = a.parameters();
        list.extend(b.parameters());
        Some(list)
    }

    /// Returns the generators that are trained, by target domain.
    pub fn learning(&self) -> PerDomain<&Network> {
        PerDomain { a: &self.gen_b2a, b: &self.gen_a2b }
    }

    /// Returns the generators that are used and measured: the running mean, if there is one.
    pub fn shown(&self) -> PerDomain<&Network> {
        self.mean.as_ref().map_or_else(|| self.learning(), |PerDomain { a, b }| PerDomain { a, b })
    }

    /// Returns the generator for translations into domain `to`.
    pub fn generator(&self, to: Domain) -> &Network {
        let PerDomain { a, b } = self.shown();
        match to {
            Domain::A => a,
            Domain::B => b,
        }
    }

    /// Loads weights by name; nothing changes if one does not match. A running mean and spectral norms start over from
    /// them.
    pub fn load(&self, weights: &[(String, Tensor)]) -> Result<()> {
        load_parameters(&self.parameters(), weights)?;
        [&self.disc_a, &self.disc_b].into_iter().try_for_each(Discriminator::restart_spectral_norms)?;
        self.restart_mean()
    }

    /// Resets the running mean to the generators' current weights.
    pub fn restart_mean(&self) -> Result<()> {
        match self.mean_parameters() {
            Some(mean) => load_parameters(&mean, &self.generator_parameters()),
            None => Ok(()),
        }
    }
}
