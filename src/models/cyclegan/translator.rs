//! A CycleGAN as the trainer sees it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Tensor};

use super::step::{self, LOSS_NAMES, METRIC_NAMES, Optimisers};
use super::{CycleGan, CycleGanConfig, memory};
use crate::dataset::{Batch, DataBunch, Domain, PerDomain};
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, KeptMemory, Switches};
use crate::nn::{Parameters, copied, load_parameters};
use crate::optim::{Adam, RunningMean};
use crate::train::{MemoryEstimate, StepContext, TrainState, Translator};

impl Translator for CycleGan {
    fn loss_names(&self) -> &'static [&'static str] {
        LOSS_NAMES
    }

    fn train_step(&mut self, batch: &Batch, context: StepContext) -> Result<Tensor> {
        let device = self.device.torch();
        let precision = context.precision.on(device)?;
        let _switches = Switches::hold_on(device, precision.training_arithmetic(context.deterministic))?;
        let (a, b) = (on_device(&batch.a, device)?, on_device(&batch.b, device)?);
        self.untrained = None;
        self.metrics = None;
        if self.kept.is_none() && !device.is_cuda() {
            self.kept = Some(KeptMemory::begin()?);
        }
        self.optimisers()?;
        let Self { nets, optimisers: Some(optimisers), config, .. } = self else {
            return Err(Error::new(ErrorKind::Usage, "the model has no optimisers"));
        };
        step::train_step(nets, optimisers, config, (&a, &b), StepContext { precision, ..context })
    }

    fn metric_names(&self) -> &'static [&'static str] {
        METRIC_NAMES
    }

    fn validate(&self, batch: &Batch, precision: Precision) -> Result<Tensor> {
        let device = self.device.torch();
        let precision = precision.on(device)?;
        let _switches = Switches::hold_on(device, precision.arithmetic())?;
        let (a, b) = (on_device(&batch.a, device)?, on_device(&batch.b, device)?);
        ffi::autocast(precision.casts(device), device, || step::validate(&self.nets, &self.config, (&a, &b)))
    }

    fn translate(&self, images: &Tensor, to: Domain) -> Result<Tensor> {
        self.check_trained(to)?;
        let _switches = Switches::hold_on(self.device.torch(), Precision::F32.arithmetic())?;
        tch::no_grad(|| self.nets.generator(to).forward(images))
    }

    fn torch_device(&self) -> Device {
        self.device.torch()
    }

    fn state(&self) -> TrainState {
        let mut tensors = self.changing();
        for (prefix, pool) in self.optimisers.iter().flat_map(Optimisers::pools) {
            tensors.extend(pool.images().iter().enumerate().map(|(i, t)| (format!("{prefix}{i}"), t.shallow_clone())));
        }
        TrainState { tensors }
    }

    fn restore(&mut self, state: &TrainState) -> Result<()> {
        let pooled = |name: &str| name.starts_with("pool_");
        let (images, rest): (Parameters, Parameters) =
            state.tensors.iter().map(|(n, t)| (n.clone(), t.shallow_clone())).partition(|(name, _)| pooled(name));
        let device = self.device.torch();
        if !rest.iter().any(|(name, _)| Adam::is_moment(name)) {
            // The state of a model before any training.
            load_parameters(&self.changing_of_networks(), &rest)?;
            self.optimisers = None;
            self.metrics = None;
            return self.nets.restart_mean();
        }
        let channels = self.channels();
        let optimisers = self.optimisers()?;
        let mut pools = Vec::new();
        for ((prefix, pool), domain) in optimisers.pools().into_iter().zip(Domain::BOTH) {
            let own = images.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, t)| copied(t, device));
            let own = own.collect::<Result<Vec<_>>>()?;
            pool.check(&own, *channels.get(domain))?;
            pools.push(own);
        }
        RunningMean::check(&rest)?;
        // The last thing that can fail, and it changes nothing when it does.
        load_parameters(&self.changing(), &rest)?;
        let optimisers = self.optimisers()?;
        for ((_, pool), images) in optimisers.pools_mut().into_iter().zip(pools) {
            pool.restore(images);
        }
        optimisers.forget();
        self.metrics = None;
        Ok(())
    }

    fn memory_need(&self, data: &DataBunch, precision: Precision, accumulate: usize) -> Option<MemoryEstimate> {
        Some(memory::estimate(self, data, precision, accumulate))
    }

    fn configuration(&self) -> Result<Value> {
        let made = Made { config: self.config.clone(), channels: self.channels(), frozen_encoders: self.frozen };
        serde_json::to_value(made)
            .map_err(|e| Error::new(ErrorKind::Format, "configuration cannot be written").because(e))
    }
}

/// The tensor on `device`. From pinned memory CUDA copies it while the processor goes on.
fn on_device(tensor: &Tensor, device: Device) -> Result<Tensor> {
    Ok(tensor.f_to_device_(device, tensor.kind(), true, false)?)
}

/// How a model is made, as checkpoints hold it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Made {
    pub config: CycleGanConfig,
    pub channels: PerDomain<usize>,
    pub frozen_encoders: bool,
}

impl CycleGan {
    /// Parameters and vectors of spectral norms.
    fn changing_of_networks(&self) -> Parameters {
        let mut list = self.nets.parameters();
        list.extend(self.nets.vectors());
        list
    }

    /// Parameters, vectors of spectral norms, and once training has begun moments and running means; they share memory with
    /// the model.
    fn changing(&self) -> Parameters {
        let mut list = self.changing_of_networks();
        list.extend(self.optimisers.iter().flat_map(Optimisers::state));
        list
    }
}
