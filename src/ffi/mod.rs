//! The thin C++ shim and its safe face: the only module with `unsafe`.
#![allow(unsafe_code)]

mod arithmetic;
#[cfg(target_os = "linux")]
mod caches;
mod cuda;
mod cuda_layers;
mod cuda_runtime;
mod fill;
mod frozen;
mod graph;
mod keep;
mod layers;
#[cfg(not(feature = "doc-only"))]
mod linked;
#[cfg(feature = "doc-only")]
#[path = "unlinked.rs"]
mod linked;
mod memory;
mod process;
mod profile;
mod script;
mod switch;
mod transfer;

pub(crate) use arithmetic::{Arithmetic, Repeats, Switches, autocast, is_deterministic, without_autocast};
pub(crate) use cuda::{CudaLibrary, cuda_is_available, cuda_library};
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) use cuda_layers::emulate_cuda;
pub(crate) use cuda_layers::{NormForm, bordered_residual, convolution_norm, cuda_layers_fit, keep_cuda_kernels_in};
#[cfg(test)]
pub(crate) use cuda_runtime::CudaVersion;
pub(crate) use cuda_runtime::{Capability, CudaRuntime, cuda_capability, cuda_runtime};
pub(crate) use fill::{HostMemory, filled};
pub(crate) use frozen::Frozen;
pub(crate) use graph::{CudaGraph, SideStream};
pub(crate) use keep::KeptMemory;
pub(crate) use layers::{
    ConvolutionForm, convolution, fits_residual, norm_activation, residual, residual_without_norms,
};
pub(crate) use linked::{
    add, all_finite, at_least, channels_last, cuda_memory, free_cuda_memory, leaky_relu, libtorch_config,
    reset_cuda_memory_peak, scale, with_contiguous_gradient,
};
#[cfg(test)]
pub(crate) use memory::MemoryMeter;
pub(crate) use memory::measure_memory;
pub(crate) use process::{Allowed, allow, allowed};
pub(crate) use profile::Profiler;
pub(crate) use script::Script;
pub(crate) use switch::is_switched_on;
pub(crate) use transfer::Transfer;

use tch::Tensor;

use crate::error::{Error, ErrorKind, Result};

/// The numbers of one Adam step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamStep {
    pub lr: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub weight_decay: f64,
    pub eps: f64,
}

/// The tensors that Adam changes; entry i of each list belongs to the same parameter.
#[derive(Debug)]
pub(crate) struct AdamTensors {
    params: Vec<Tensor>,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
    /// Scalar f32 tensors that count the steps; the kernel wants one for each parameter, on its device.
    steps: Vec<Tensor>,
}

/// What the kernel, which walks plain memory, relies on.
type Form = (Vec<i64>, tch::Kind, tch::Device, bool);

fn form(tensor: &Tensor) -> Form {
    (tensor.size(), tensor.kind(), tensor.device(), tensor.is_contiguous())
}

impl AdamTensors {
    /// Parameters, first and second moments, and counts of steps. They share memory with those that are given.
    ///
    /// # Errors
    /// `Usage` unless moments are like their parameters, contiguous, and counts are single f32.
    pub fn new(params: Vec<Tensor>, [first, second, steps]: [Vec<Tensor>; 3]) -> Result<Self> {
        let n = params.len();
        if [first.len(), second.len(), steps.len()] != [n; 3] {
            return Err(Error::new(ErrorKind::Usage, "Adam's lists differ in length").expected(n));
        }
        for i in 0..n {
            let (size, kind, device, _) = form(&params[i]);
            let wanted = (size, kind, device, true);
            if [&params[i], &first[i], &second[i]].iter().any(|tensor| form(tensor) != wanted) {
                return Err(misfit(i, &wanted));
            }
            if (steps[i].numel(), steps[i].kind()) != (1, tch::Kind::Float) {
                return Err(Error::new(ErrorKind::Usage, "a step count of Adam is not one f32"));
            }
        }
        Ok(Self { params, first, second, steps })
    }

    /// The parameters.
    pub fn params(&self) -> &[Tensor] {
        &self.params
    }

    /// First moments, second moments and counts of steps.
    pub fn moments(&self) -> [&[Tensor]; 3] {
        [&self.first, &self.second, &self.steps]
    }

    /// Those of these places, which exist. They share memory with these.
    pub fn subset(&self, places: &[usize]) -> Self {
        let of = |list: &[Tensor]| places.iter().map(|&i| list[i].shallow_clone()).collect();
        Self { params: of(&self.params), first: of(&self.first), second: of(&self.second), steps: of(&self.steps) }
    }

    /// Adam with decoupled weight decay, all parameters in one kernel, in place.
    ///
    /// # Errors
    /// `Usage` unless each gradient is like its parameter, and contiguous.
    pub fn step(&mut self, grads: &mut [Tensor], numbers: AdamStep) -> Result<()> {
        if grads.len() != self.params.len() {
            return Err(Error::new(ErrorKind::Usage, "Adam's lists differ in length").expected(self.params.len()));
        }
        if let Some(i) = (0..grads.len()).find(|&i| form(&grads[i]) != form(&self.params[i])) {
            return Err(misfit(i, &form(&self.params[i])));
        }
        linked::fused_adamw(self, grads, numbers)
    }
}

/// Moves each tensor of `from`, in place, by `share` of the way to its partner in `to`; all in one call.
///
/// # Errors
/// `Usage` unless the lists have one length, `Torch` unless partners are of one shape, dtype and device.
pub(crate) fn lerp_all(from: &mut [Tensor], to: &mut [Tensor], share: f64) -> Result<()> {
    if from.len() != to.len() {
        return Err(Error::new(ErrorKind::Usage, "lists of tensors differ in length").expected(to.len()));
    }
    linked::lerp_all(from, to, share)
}

fn misfit(place: usize, wanted: &Form) -> Error {
    Error::new(ErrorKind::Usage, format!("Adam's tensors differ at {place}"))
        .expected(format!("shape, dtype and device {wanted:?}, contiguous"))
}
