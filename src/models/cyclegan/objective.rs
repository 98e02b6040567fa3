//! How a step sees images and weighs its losses, by the options of the model and its place in the fit.

use tch::Tensor;

use super::config::CycleGanConfig;
use crate::error::Result;
use crate::peers::Portion;
use crate::random::Seed;
use crate::train::StepContext;

/// What the losses of one step are of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Objective<'a> {
    pub config: &'a CycleGanConfig,
    /// Weight of the cycle loss at this place of the fit.
    pub cycle_weight: f64,
    /// The step by which the views of the discriminators are drawn, and which images of its batch are here; none for images
    /// as they are.
    step: Option<(u64, Portion)>,
}

impl<'a> Objective<'a> {
    /// Of images as they are and with the weights that a fit begins with, as validation has it.
    pub fn plain(config: &'a CycleGanConfig) -> Self {
        Self { config, cycle_weight: config.cycle_weight, step: None }
    }

    /// Of a step of training on these images of its batch.
    pub fn of_step(config: &'a CycleGanConfig, context: &StepContext<'_>, portion: Portion) -> Self {
        let start = config.cycle_weight;
        let cycle_weight = config.cycle_weight_end.map_or(start, |end| start + (end - start) * context.progress);
        Self { config, cycle_weight, step: Some((context.step, portion)) }
    }

    /// Images as a discriminator sees them, varied by draws from the stream `name`.
    pub fn seen(&self, images: &Tensor, name: &str) -> Result<Tensor> {
        match self.step {
            Some((step, portion)) => {
                self.config.diff_augment.apply(images, portion, &mut Seed(self.config.seed).stream(name, step))
            }
            None => Ok(images.shallow_clone()),
        }
    }
}
