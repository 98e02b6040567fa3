//! What training changes besides the networks.

use super::networks::Networks;
use crate::error::Result;
use crate::nn::Parameters;
use crate::optim::Adam;

#[derive(Debug)]
pub(super) struct Optimisers {
    pub generator: Adam,
    pub discriminator: Adam,
    /// What the names of the parameters of the generator's encoder begin with.
    encoder: Vec<String>,
}

impl Optimisers {
    pub fn new(nets: &Networks) -> Result<Self> {
        Ok(Self {
            generator: Adam::new(nets.generator.parameters())?,
            discriminator: Adam::new(nets.discriminator.parameters())?,
            encoder: nets.encoder(),
        })
    }

    /// Lists the moments of both, by name; they share memory with the state.
    pub fn state(&self) -> Parameters {
        [&self.generator, &self.discriminator].into_iter().flat_map(Adam::state).collect()
    }

    /// Lets the generator's encoder move or not; all else moves.
    pub fn freeze_encoder(&mut self, is_frozen: bool) {
        let is_encoder = |name: &str| self.encoder.iter().any(|layer| name.starts_with(layer));
        self.generator.select(|name| !(is_frozen && is_encoder(name)));
    }

    /// Forgets gradients of an update that was not made.
    pub fn forget(&mut self) {
        [&mut self.generator, &mut self.discriminator].into_iter().for_each(Adam::forget);
    }
}
