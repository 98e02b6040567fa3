//! Models on the processor, whatever the machine has: what is compared are bits, and the order of steps.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::Path;

use geolearn::models::LoadOptions;
use geolearn::models::cyclegan::CycleGanBuilder;
use geolearn::{CycleGan, DataBunch, Device, Result};

/// [`CycleGan::builder`] on the processor.
pub fn builder(data: &DataBunch) -> CycleGanBuilder {
    CycleGan::builder(data).device(Device::Cpu)
}

/// [`CycleGan::from_model`] on the processor.
pub fn from_model(path: impl AsRef<Path>, data: Option<&DataBunch>) -> Result<CycleGan> {
    let options = LoadOptions::new().device(Device::Cpu);
    CycleGan::from_model_with(path, if let Some(data) = data { options.data(data) } else { options })
}

/// [`CycleGan::from_checkpoint`] on the processor.
pub fn from_checkpoint(path: impl AsRef<Path>, data: &DataBunch) -> Result<CycleGan> {
    CycleGan::from_checkpoint_on(path, data, Device::Cpu)
}
