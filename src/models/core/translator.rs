//! A model as the trainer sees it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Tensor};

use super::learner::Learner;
use super::model::Model;
use crate::dataset::{Batch, DataBunch, Domain, PerDomain};
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, KeptMemory, Switches};
use crate::train::{MemoryEstimate, StepContext, TrainState, Translator};

impl<M: Model> Translator for Learner<M> {
    fn loss_names(&self) -> &'static [&'static str] {
        M::LOSS_NAMES
    }

    fn train_step(&mut self, batch: &Batch, context: StepContext<'_>) -> Result<Tensor> {
        let device = self.device.torch();
        let precision = context.precision.on(device)?;
        let _switches = Switches::hold_on(device, precision.training_arithmetic(context.deterministic))?;
        let (a, b) = (on_device(&batch.a, device)?, on_device(&batch.b, device)?);
        self.untrained = None;
        self.metrics = None;
        if self.kept.is_none() && !device.is_cuda() {
            self.kept = Some(KeptMemory::begin()?);
        }
        self.model.begin_training()?;
        self.model.train_step((&a, &b), StepContext { precision, ..context })
    }

    fn metric_names(&self) -> &'static [&'static str] {
        M::METRIC_NAMES
    }

    fn validate(&self, batch: &Batch, precision: Precision) -> Result<Tensor> {
        let device = self.device.torch();
        let precision = precision.on(device)?;
        let _switches = Switches::hold_on(device, precision.arithmetic())?;
        let (a, b) = (on_device(&batch.a, device)?, on_device(&batch.b, device)?);
        ffi::autocast(precision.casts(device), device, || self.model.validate((&a, &b)))
    }

    fn translate(&self, images: &Tensor, to: Domain) -> Result<Tensor> {
        self.check_trained(to)?;
        let _switches = Switches::hold_on(self.device.torch(), Precision::F32.arithmetic())?;
        tch::no_grad(|| self.model.generator(to).forward(images))
    }

    fn torch_device(&self) -> Device {
        self.device.torch()
    }

    fn state(&self) -> TrainState {
        TrainState { tensors: self.model.state() }
    }

    fn restore(&mut self, state: &TrainState) -> Result<()> {
        self.model.restore(&state.tensors)?;
        self.metrics = None;
        Ok(())
    }

    fn memory_need(&self, data: &DataBunch, precision: Precision, accumulate: usize) -> Option<MemoryEstimate> {
        Some(self.model.memory_need(data, precision, accumulate))
    }

    fn configuration(&self) -> Result<Value> {
        let (config, channels) = (self.config().clone(), self.channels());
        serde_json::to_value(Built { config, channels, frozen_encoders: self.is_frozen() })
            .map_err(|e| Error::new(ErrorKind::Format, "configuration cannot be written").because(e))
    }
}

/// The tensor on `device`. From pinned memory CUDA copies it while the processor goes on.
fn on_device(tensor: &Tensor, device: Device) -> Result<Tensor> {
    Ok(tensor.f_to_device_(device, tensor.kind(), true, false)?)
}

/// How a model was built, as checkpoints hold it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Built<C> {
    pub config: C,
    pub channels: PerDomain<usize>,
    pub frozen_encoders: bool,
}
