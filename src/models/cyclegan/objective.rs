//! The objective of one step: how discriminators see images, and the weights of losses at the current position in the
//! fit.

use tch::Tensor;

use super::config::CycleGanConfig;
use crate::error::Result;
use crate::peers::Portion;
use crate::random::Seed;
use crate::train::StepContext;

/// The objective of one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Objective<'a> {
    pub config: &'a CycleGanConfig,
    /// Weight of the cycle loss at this position in the fit.
    pub cycle_weight: f64,
    /// The step that keys the random numbers of augmentation, and which images of its batch this process has; `None`
    /// without augmentation.
    step: Option<(u64, Portion)>,
}

impl<'a> Objective<'a> {
    /// Returns the objective of validation: no augmentation, and the weights at the start of a fit.
    pub fn plain(config: &'a CycleGanConfig) -> Self {
        Self { config, cycle_weight: config.cycle_weight, step: None }
    }

    /// Returns the objective of a training step on these images of its batch.
    pub fn of_step(config: &'a CycleGanConfig, context: &StepContext<'_>, portion: Portion) -> Self {
        let start = config.cycle_weight;
        let cycle_weight = config.cycle_weight_end.map_or(start, |end| start + (end - start) * context.progress);
        Self { config, cycle_weight, step: Some((context.step, portion)) }
    }

    /// Returns images as a discriminator sees them, augmented with random numbers from the stream `name`.
    pub fn seen(&self, images: &Tensor, name: &str) -> Result<Tensor> {
        match self.step {
            Some((step, portion)) => {
                self.config.diff_augment.apply(images, portion, &mut Seed(self.config.seed).stream(name, step))
            }
            None => Ok(images.shallow_clone()),
        }
    }
}
