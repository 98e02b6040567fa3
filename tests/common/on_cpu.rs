//! Builds and loads models on the CPU, whatever the machine has, for tests that compare bits or the order of steps.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::path::Path;

use geolearn::models::LoadOptions;
use geolearn::models::cyclegan::CycleGanBuilder;
use geolearn::{CycleGan, DataBunch, Device, Result};

/// Calls [`CycleGan::builder`] for the CPU.
pub fn builder(data: &DataBunch) -> CycleGanBuilder {
    CycleGan::builder(data).device(Device::Cpu)
}

/// Calls [`CycleGan::from_model`] for the CPU.
pub fn from_model(path: impl AsRef<Path>, data: Option<&DataBunch>) -> Result<CycleGan> {
    let options = LoadOptions::new().device(Device::Cpu);
    CycleGan::from_model_with(path, if let Some(data) = data { options.data(data) } else { options })
}

/// Calls [`CycleGan::from_checkpoint`] for the CPU.
pub fn from_checkpoint(path: impl AsRef<Path>, data: &DataBunch) -> Result<CycleGan> {
    CycleGan::from_checkpoint_on(path, data, Device::Cpu)
}
