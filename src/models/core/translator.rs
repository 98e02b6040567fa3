//! Implements the trainer's `Translator` for every kind of model.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::{Device, Tensor};

use super::learner::Learner;
use super::model::Model;
use crate::dataset::{Batch, DataBunch, Domain, PerDomain};
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result, shown};
use crate::ffi::{self, KeptMemory, Switches};
use crate::package::emd::ModelKind;
use crate::stored::known_fields;
use crate::threads::{self, Job};
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
        let parameters = M::parameter_count(self.config(), self.channels()) as usize;
        let context = StepContext { precision, ..context };
        if precision.casts(device) || !ffi::has_own_layers(&a) || !self.model.is_same_on_any_threads() {
            return self.model.train_step((&a, &b), context);
        }
        let job = Job { name: "training step", parameters, pixels: a.numel() + b.numel() };
        threads::at_best_number(job, || self.model.train_step((&a, &b), context))
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

    fn targets(&self) -> &'static [Domain] {
        M::TARGETS
    }

    fn translate(&self, images: &Tensor, to: Domain) -> Result<Tensor> {
        self.check_direction(to)?;
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
        let kind = Some(M::KIND.name).filter(|&name| name != UNNAMED).map(str::to_owned);
        serde_json::to_value(StoredConfiguration { kind, config, channels, frozen_encoders: self.is_frozen() })
            .map_err(|e| Error::new(ErrorKind::Format, "configuration cannot be written").because(e))
    }
}

/// Moves the tensor to `device`. From pinned memory, CUDA copies it while the CPU continues.
fn on_device(tensor: &Tensor, device: Device) -> Result<Tensor> {
    Ok(tensor.f_to_device_(device, tensor.kind(), true, false)?)
}

/// The kind of model of checkpoints that do not name it: the only one when their format was defined.
const UNNAMED: &str = "CycleGAN";

/// How a model was built, as stored in checkpoints.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "C: DeserializeOwned"))]
pub(super) struct StoredConfiguration<C> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(deserialize_with = "known_fields")]
    pub config: C,
    pub channels: PerDomain<usize>,
    pub frozen_encoders: bool,
}

impl<C: DeserializeOwned> StoredConfiguration<C> {
    /// Reads how a model of this kind was built.
    ///
    /// # Errors
    /// `Format` if a model of another kind wrote it.
    pub fn read(configuration: &Value, kind: &ModelKind) -> Result<Self> {
        let another = || Error::new(ErrorKind::Format, "this is a checkpoint of another kind of model");
        let found = configuration.get("kind").and_then(Value::as_str).unwrap_or(UNNAMED);
        if found != kind.name {
            return Err(another().expected(kind.name).found(shown(found)));
        }
        serde_json::from_value(configuration.clone()).map_err(|e| another().because(e))
    }
}
