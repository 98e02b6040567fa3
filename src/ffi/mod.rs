//! The thin C++ shim and its safe face: the only module with `unsafe`.
#![allow(unsafe_code)]

mod arithmetic;
#[cfg(all(target_os = "linux", not(feature = "doc-only")))]
mod caches;
mod cuda;
mod fill;
mod keep;
mod layers;
#[cfg(not(feature = "doc-only"))]
mod linked;
#[cfg(feature = "doc-only")]
#[path = "unlinked.rs"]
mod linked;
mod memory;
mod profile;
mod script;

pub(crate) use arithmetic::{Arithmetic, autocast, exact, is_deterministic};
pub(crate) use cuda::{CudaLibrary, cuda_library};
pub(crate) use fill::filled;
pub(crate) use keep::KeptMemory;
pub(crate) use layers::{
    ConvolutionForm, convolution, fits_residual, norm_activation, residual, residual_without_norms,
};
pub(crate) use linked::{free_cuda_memory, leaky_relu, libtorch_config, reset_cuda_memory_peak, scale};
#[cfg(test)]
pub(crate) use memory::MemoryMeter;
pub(crate) use memory::measure_memory;
pub(crate) use profile::{CudaBytes, Profiler, cuda_bytes};
pub(crate) use script::Script;

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

/// The tensors of one Adam step; entry i of each list belongs to the same parameter.
pub(crate) struct AdamTensors<'a> {
    pub params: &'a mut [Tensor],
    pub grads: &'a mut [Tensor],
    pub first: &'a mut [Tensor],
    pub second: &'a mut [Tensor],
    /// Scalar f32 tensors that count the steps; already raised for this one.
    pub steps: &'a mut [Tensor],
}

/// Adam with decoupled weight decay, all parameters in one kernel, in place.
///
/// Parameters and moments must be of one floating dtype and one device.
pub(crate) fn fused_adamw(tensors: AdamTensors<'_>, step: AdamStep) -> Result<()> {
    let AdamTensors { params, grads, first, second, steps } = &tensors;
    let n = params.len();
    if [grads.len(), first.len(), second.len(), steps.len()] != [n; 4] {
        return Err(Error::new(ErrorKind::Usage, "Adam's lists differ in length").expected(n));
    }
    for i in 0..n {
        let size = params[i].size();
        let like = |t: &Tensor| (t.size(), t.kind(), t.device(), t.is_contiguous());
        let wanted = (size, params[i].kind(), params[i].device(), true);
        if [&params[i], &grads[i], &first[i], &second[i]].iter().any(|t| like(t) != wanted) {
            return Err(Error::new(ErrorKind::Usage, format!("Adam's tensors differ at {i}"))
                .expected(format!("shape, dtype and device {wanted:?}, contiguous")));
        }
        if (steps[i].numel(), steps[i].kind()) != (1, tch::Kind::Float) {
            return Err(Error::new(ErrorKind::Usage, "a step count of Adam is not one f32"));
        }
    }
    linked::fused_adamw(tensors, step)
}
