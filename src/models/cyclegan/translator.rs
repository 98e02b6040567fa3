//! A CycleGAN as the trainer sees it.

use tch::{Device, Tensor};

use super::CycleGan;
use super::step::{self, LOSS_NAMES};
use crate::dataset::{Batch, Domain};
use crate::error::Result;
use crate::nn::{Parameters, copied, load_parameters};
use crate::train::{StepContext, TrainState, Translator};

impl Translator for CycleGan {
    fn loss_names(&self) -> &'static [&'static str] {
        LOSS_NAMES
    }

    fn train_step(&mut self, batch: &Batch, context: StepContext) -> Result<Tensor> {
        let device = self.device.torch();
        let (a, b) = (batch.a.f_to_device(device)?, batch.b.f_to_device(device)?);
        step::train_step(&self.nets, &mut self.optimisers, &self.config, (&a, &b), context)
    }

    fn translate(&self, images: &Tensor, to: Domain) -> Result<Tensor> {
        tch::no_grad(|| self.nets.generator(to).forward(images))
    }

    fn torch_device(&self) -> Device {
        self.device.torch()
    }

    fn state(&self) -> TrainState {
        let mut tensors = self.changing();
        for (prefix, pool) in self.optimisers.pools() {
            tensors.extend(pool.images().iter().enumerate().map(|(i, t)| (format!("{prefix}{i}"), t.shallow_clone())));
        }
        TrainState { tensors }
    }

    fn restore(&mut self, state: &TrainState) -> Result<()> {
        let pooled = |name: &str| name.starts_with("pool_");
        let (images, rest): (Parameters, Parameters) =
            state.tensors.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).partition(|(name, _)| pooled(name));
        load_parameters(&self.changing(), &rest)?;
        let device = self.device.torch();
        for (prefix, pool) in self.optimisers.pools_mut() {
            let own = images.iter().filter(|(name, _)| name.starts_with(prefix));
            pool.restore(own.map(|(_, t)| copied(t, device)).collect::<Result<_>>()?);
        }
        Ok(())
    }
}

impl CycleGan {
    /// Parameters and moments; they share memory with the model.
    fn changing(&self) -> Parameters {
        let mut list = self.nets.parameters();
        list.extend(self.optimisers.moments());
        list
    }
}
