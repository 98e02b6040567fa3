//! What training changes besides the networks: made when training begins, gone when other weights are loaded.

use std::fmt;

use tch::Tensor;

use crate::error::Result;
use crate::nn::{Parameters, load_parameters};
use crate::optim::Adam;

/// The optimizers of one kind of model, with what belongs to them.
pub(crate) trait Optimizers: fmt::Debug {
    /// Lists moments and running means by name; they share memory with the state.
    fn state(&self) -> Parameters;

    /// Lets the encoders of the generators move or not; all else moves.
    fn freeze_encoders(&mut self, is_frozen: bool);

    /// Forgets gradients of an update that was not made, and what is known of a state that may be another now.
    fn forget(&mut self);
}

/// Lets the parameters of `adam` whose names begin with one of these move or not; all others move.
pub(crate) fn freeze(adam: &mut Adam, encoders: &[String], is_frozen: bool) {
    let is_encoder = |name: &str| encoders.iter().any(|layer| name.starts_with(layer));
    adam.select(|name| !(is_frozen && is_encoder(name)));
}

/// A place for optimizers, which is empty before the first training: they take twice the memory of the weights.
#[derive(Debug)]
pub(crate) struct OptimizerSlot<O> {
    optimizers: Option<O>,
    is_frozen: bool,
}

impl<O: Optimizers> OptimizerSlot<O> {
    /// Makes an empty one.
    pub fn new() -> Self {
        Self { optimizers: None, is_frozen: false }
    }

    /// Returns the optimizers, where training has begun.
    pub fn get(&self) -> Option<&O> {
        self.optimizers.as_ref()
    }

    /// Returns the optimizers to be changed, where training has begun.
    pub fn get_mut(&mut self) -> Option<&mut O> {
        self.optimizers.as_mut()
    }

    /// Returns the optimizers, which `make` makes where there are none.
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

    /// Drops the optimizers; whether encoders move stays.
    pub fn clear(&mut self) {
        self.optimizers = None;
    }

    /// Lists what training changes besides the networks; nothing before it has begun.
    pub fn state(&self) -> Parameters {
        self.get().map_or_else(Parameters::new, O::state)
    }

    /// Puts back a state of these networks and their optimizers. That of a model before any training has no moments, and leaves the
    /// place empty.
    ///
    /// # Errors
    /// `Usage` for the state of another architecture; no weight and no moment is changed then.
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

    /// Lets the encoders of the generators move or not, now and in optimizers that are made later.
    pub fn set_frozen(&mut self, is_frozen: bool) {
        self.is_frozen = is_frozen;
        if let Some(optimizers) = &mut self.optimizers {
            optimizers.freeze_encoders(is_frozen);
        }
    }

    /// Returns whether encoders stay as they are.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }
}
