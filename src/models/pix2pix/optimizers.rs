//! The training state of a Pix2Pix besides its networks.

use super::networks::Networks;
use crate::error::Result;
use crate::models::core::{self, freeze};
use crate::nn::Parameters;
use crate::optim::Adam;

#[derive(Debug)]
pub(super) struct Optimizers {
    pub generator: Adam,
    pub discriminator: Adam,
    /// Prefixes of the names of the generator's encoder parameters.
    encoder: Vec<String>,
}

impl Optimizers {
    pub fn new(nets: &Networks) -> Result<Self> {
        Ok(Self {
            generator: Adam::new(nets.generator.parameters())?,
            discriminator: Adam::new(nets.discriminator.parameters())?,
            encoder: nets.generator.encoder(),
        })
    }
}

impl core::Optimizers for Optimizers {
    fn state(&self) -> Parameters {
        [&self.generator, &self.discriminator].into_iter().flat_map(Adam::state).collect()
    }

    fn freeze_encoders(&mut self, is_frozen: bool) {
        freeze(&mut self.generator, &self.encoder, is_frozen);
    }

    fn forget(&mut self) {
        [&mut self.generator, &mut self.discriminator].into_iter().for_each(Adam::forget);
    }
}
