//! Optimizers of a model: created when training starts, dropped when other weights are loaded.

use std::fmt;

use tch::Tensor;

use crate::error::Result;
use crate::nn::{Parameters, load_parameters};
use crate::optim::Adam;

/// The optimizers of one kind of model, with their additional state.
pub(crate) trait Optimizers: fmt::Debug {
    /// Lists moments and running means by name; they share memory with the state.
    fn state(&self) -> Parameters;

    /// Freezes or unfreezes the encoders of the generators; everything else trains.
    fn freeze_encoders(&mut self, is_frozen: bool);

    /// Discards gradients of an update that was not made, and cached values of a state that may have changed.
    fn forget(&mut self);
}

/// Freezes or unfreezes the parameters of `adam` whose names start with one of these prefixes; all others train.
pub(crate) fn freeze(adam: &mut Adam, encoders: &[String], is_frozen: bool) {
    let is_encoder = |name: &str| encoders.iter().any(|layer| name.starts_with(layer));
    adam.select(|name| !(is_frozen && is_encoder(name)));
}

/// A slot for optimizers, which is empty before the first training because they take twice the memory of the weights.
#[derive(Debug)]
pub(crate) struct OptimizerSlot<O> {
    optimizers: Option<O>,
    is_frozen: bool,
}

impl<O: Optimizers> OptimizerSlot<O> {
    /// Creates an empty slot.
    pub fn new() -> Self {
        Self { optimizers: None, is_frozen: false }
    }

    /// Returns the optimizers, if training has started.
    pub fn get(&self) -> Option<&O> {
        self.optimizers.as_ref()
    }

    /// Returns the optimizers for modification, if training has started.
    pub fn get_mut(&mut self) -> Option<&mut O> {
        self.optimizers.as_mut()
    }

    /// Returns the optimizers, created by `make` if there are none.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get_or_make(&mut self, make: impl FnOnce() -> Result<O>) -> Result<&mut O> {
        let optimizers = match self.optimizers.take() {
            Some(optimizers) => optimizers,
            None => {
                let mut new = make()?;
                new.freeze_encoders(self.is_frozen);
                new
            }
        };
        Ok(self.optimizers.insert(optimizers))
    }

    /// Drops the optimizers; whether encoders are frozen is kept.
    pub fn clear(&mut self) {
        self.optimizers = None;
    }

    /// Lists what training changes besides the networks; empty before training.
    pub fn state(&self) -> Parameters {
        self.get().map_or_else(Parameters::new, O::state)
    }

    /// Restores a state of these networks and their optimizers. A state from before any training has no moments and
    /// leaves the slot empty.
    ///
    /// # Errors
    /// `Usage` for the state of another architecture; no weight or moment is changed then.
    pub fn restore(
        &mut self,
        mut networks: Parameters,
        state: &[(String, Tensor)],
        make: impl FnOnce() -> Result<O>,
    ) -> Result<()> {
        if !state.iter().any(|(name, _)| Adam::is_moment(name)) {
            load_parameters(&networks, state)?;
            self.clear();
            return Ok(());
        }
        let optimizers = self.get_or_make(make)?;
        networks.extend(optimizers.state());
        load_parameters(&networks, state)?;
        optimizers.forget();
        Ok(())
    }

    /// Freezes or unfreezes the encoders of the generators, now and in optimizers that are created later.
    pub fn set_frozen(&mut self, is_frozen: bool) {
        self.is_frozen = is_frozen;
        if let Some(optimizers) = &mut self.optimizers {
            optimizers.freeze_encoders(is_frozen);
        }
    }

    /// Returns whether encoders are frozen.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }
}
