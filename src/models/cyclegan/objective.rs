//! How a step sees images and weighs its losses, by the options of the model and its place in the fit.

use tch::Tensor;

use super::config::CycleGanConfig;
use crate::error::Result;
use crate::random::Seed;
use crate::train::StepContext;

/// What the losses of one step are of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Objective<'a> {
    pub config: &'a CycleGanConfig,
    /// Weight of the cycle loss at this place of the fit.
    pub cycle_weight: f64,
    /// The step by which the views of the discriminators are drawn; none for images as they are.
    step: Option<u64>,
}

impl<'a> Objective<'a> {
    /// Of images as they are and with the weights that a fit begins with, as validation has it.
    pub fn plain(config: &'a CycleGanConfig) -> Self {
        Self { config, cycle_weight: config.cycle_weight, step: None }
    }

    /// Of a step of training.
    pub fn of_step(config: &'a CycleGanConfig, context: &StepContext) -> Self {
        let start = config.cycle_weight;
        let cycle_weight = config.cycle_weight_end.map_or(start, |end| start + (end - start) * context.progress);
        Self { config, cycle_weight, step: Some(context.step) }
    }

    /// Images as a discriminator sees them, varied by draws from the stream `name`.
    pub fn seen(&self, images: &Tensor, name: &str) -> Result<Tensor> {
        match self.step {
            Some(step) => self.config.diff_augment.apply(images, &mut Seed(self.config.seed).stream(name, step)),
            None => Ok(images.shallow_clone()),
        }
    }
}
