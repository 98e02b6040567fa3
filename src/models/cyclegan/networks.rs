//! The four networks of a CycleGAN.

use tch::{Device, Kind, Tensor};

use super::config::{CycleGanConfig, check_memory};
use crate::dataset::{Domain, PerDomain};
use crate::device::free_memory;
use crate::error::Result;
use crate::nn::{Discriminator, Generator, GeneratorShape, Initialiser, Parameters, load_parameters};
use crate::random::Seed;

/// Generators and discriminators; in a saved model `D_A`, `D_B`, `G_A`, `G_B`, where `G_A` makes images of
/// domain A.
#[derive(Debug)]
pub(crate) struct Networks {
    pub disc_a: Discriminator,
    pub disc_b: Discriminator,
    pub gen_b2a: Generator,
    pub gen_a2b: Generator,
}

impl Networks {
    /// Networks for tensors of so many channels, with fresh weights.
    pub fn new(config: &CycleGanConfig, channels: PerDomain<usize>, device: Device, kind: Kind) -> Result<Self> {
        let scheme = Some(config.initialisation);
        Self::begin(config, channels, Initialiser { seed: Seed(config.seed), scheme, device, kind })
    }

    /// Networks of zeros, for weights that are about to be loaded.
    pub fn blank(config: &CycleGanConfig, channels: PerDomain<usize>, device: Device) -> Result<Self> {
        Self::begin(config, channels, Initialiser { seed: Seed(0), scheme: None, device, kind: Kind::Float })
    }

    fn begin(config: &CycleGanConfig, channels: PerDomain<usize>, init: Initialiser) -> Result<Self> {
        check_memory(config, channels, free_memory(init.device))?;
        let (a, b) = (channels.a as i64, channels.b as i64);
        let (features, blocks) = (config.gen_features as i64, config.gen_blocks as i64);
        let generator = |input, output| GeneratorShape { input, output, features, blocks };
        let features = config.disc_features as i64;
        Ok(Self {
            disc_a: Discriminator::new("D_A", a, features, &init)?,
            disc_b: Discriminator::new("D_B", b, features, &init)?,
            gen_b2a: Generator::new("G_A", generator(b, a), &init)?,
            gen_a2b: Generator::new("G_B", generator(a, b), &init)?,
        })
    }

    /// All parameters in the order of a saved model.
    pub fn parameters(&self) -> Parameters {
        let mut list = self.disc_a.parameters();
        list.extend(self.disc_b.parameters());
        list.extend(self.generator_parameters());
        list
    }

    /// Those of both generators, which share an optimiser.
    pub fn generator_parameters(&self) -> Parameters {
        let mut list = self.gen_b2a.parameters();
        list.extend(self.gen_a2b.parameters());
        list
    }

    /// The generator that makes images of domain `to`.
    pub fn generator(&self, to: Domain) -> &Generator {
        match to {
            Domain::A => &self.gen_b2a,
            Domain::B => &self.gen_a2b,
        }
    }

    /// Takes over weights by name; nothing changes when one does not fit.
    pub fn load(&self, weights: &[(String, Tensor)]) -> Result<()> {
        load_parameters(&self.parameters(), weights)
    }
}
