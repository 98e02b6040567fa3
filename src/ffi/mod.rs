//! The thin C++ shim and its safe wrapper; the only module with `unsafe`.
#![allow(unsafe_code, reason = "C++ is called here, and nowhere else")]
#![cfg_attr(feature = "doc-only", allow(dead_code, reason = "nothing is called without libtorch"))]

mod adam;
mod arithmetic;
#[cfg(not(feature = "doc-only"))]
mod c10d;
#[cfg(feature = "doc-only")]
#[path = "c10d_absent.rs"]
mod c10d;
#[cfg(target_os = "linux")]
mod caches;
mod cuda;
mod cuda_layers;
mod cuda_runtime;
mod fill;
mod forms;
mod frozen;
mod graph;
mod keep;
mod layers;
mod lerp;
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
mod threads;
mod transfer;
#[cfg(target_os = "linux")]
mod variables;

pub(crate) use adam::{AdamTensors, arranged_like};
pub(crate) use arithmetic::{Arithmetic, Repeats, Switches, autocast, is_deterministic, without_autocast};
pub(crate) use c10d::{Exchange, KeyStore, Listens, TensorGroup, check_nccl, give_nccl_errors_as_values};
pub(crate) use cuda::{CudaLibrary, cuda_is_available, cuda_library};
pub(crate) use cuda_layers::{
    bordered_residual, convolution_norm, cuda_layers_fit, keep_cuda_kernels_in, with_weight_layout,
};
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) use cuda_layers::{emulate_cuda, emulate_cuda_with};
#[cfg(test)]
pub(crate) use cuda_runtime::CudaVersion;
pub(crate) use cuda_runtime::{Capability, CudaRuntime, cuda_bus_id, cuda_capability, cuda_runtime};
pub(crate) use fill::{HostMemory, filled};
#[cfg(test)]
pub(crate) use forms::CudaOptions;
pub(crate) use forms::{AdamStep, ConvolutionForm, NormForm};
pub(crate) use frozen::Frozen;
pub(crate) use graph::{CudaGraph, SideStream};
pub(crate) use keep::KeptMemory;
pub(crate) use layers::{
    convolution, fits_residual, has_own_layers, norm_activation, residual, residual_without_norms,
};
pub(crate) use lerp::lerp_all;
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
pub(crate) use threads::{SharedAmong, on_one_thread};
pub(crate) use transfer::Transfer;
