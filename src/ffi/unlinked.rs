//! Stub of the shim, for building documentation without libtorch.

use std::ffi::{CStr, CString};

use tch::Tensor;

use super::forms::{AdamStep, ConvolutionForm, CudaOptions, NormForm};
use crate::error::{Error, ErrorKind, Result};

fn absent<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, "built without libtorch (feature `doc-only`)"))
}

pub(crate) fn leaky_relu(_: &Tensor, _: f64) -> Result<Tensor> {
    absent()
}

pub(crate) fn scale(_: &Tensor, _: f64) -> Result<Tensor> {
    absent()
}

pub(crate) fn add(_: &Tensor, _: f64) -> Result<Tensor> {
    absent()
}

pub(crate) fn at_least(_: &Tensor, _: f64) -> Result<Tensor> {
    absent()
}

pub(crate) fn all_finite(_: &[&Tensor]) -> Result<bool> {
    absent()
}

pub(super) fn zeros_pinned(_: &[i64]) -> Result<Tensor> {
    absent()
}

pub(super) fn share_among(_: i32) -> i32 {
    0
}

pub(super) fn cpu_layers_fit(_: &Tensor, _: i64) -> bool {
    false
}

pub(super) fn convolution(_: &Tensor, _: &Tensor, _: &Tensor, _: ConvolutionForm) -> Result<Tensor> {
    absent()
}

pub(super) fn norm_activation(_: &Tensor, _: f64, _: f64) -> Result<Tensor> {
    absent()
}

pub(super) fn residual(_: &Tensor, _: [&Tensor; 4], _: f64) -> Result<Tensor> {
    absent()
}

pub(super) fn residual_without_norms(_: &Tensor, _: [&Tensor; 4]) -> Result<Tensor> {
    absent()
}

pub(crate) fn with_contiguous_gradient(_: &Tensor) -> Result<Tensor> {
    absent()
}

pub(crate) fn channels_last(_: &Tensor) -> Result<Tensor> {
    absent()
}

pub(super) fn cuda_kernels_source(_: &str, _: &str, _: CudaOptions) -> Result<()> {
    absent()
}

#[cfg(test)]
pub(super) fn cuda_emulation_options(_: CudaOptions) -> Result<()> {
    absent()
}

#[cfg(test)]
pub(super) fn cuda_kernels_emulate(_: &CStr) -> Result<()> {
    absent()
}

pub(super) fn cuda_layers_fit(_: &Tensor) -> Result<(bool, Result<()>)> {
    absent()
}

pub(super) fn cuda_convolution_norm(_: &Tensor, _: &Tensor, _: ConvolutionForm, _: NormForm) -> Result<Tensor> {
    absent()
}

pub(super) fn cuda_residual(_: &Tensor, _: [&Tensor; 2], _: f64, _: i64) -> Result<Tensor> {
    absent()
}

pub(super) fn lerp_all(_: &mut [Tensor], _: &mut [Tensor], _: f64) -> Result<()> {
    absent()
}

pub(super) fn fused_adamw(_: [&mut [Tensor]; 4], _: &mut [Tensor], _: AdamStep) -> Result<()> {
    absent()
}

pub(super) struct OldAutocast;

pub(super) fn autocast_begin(_: bool, _: bool) -> Result<OldAutocast> {
    absent()
}

pub(super) fn autocast_end(_: &OldAutocast) -> Result<()> {
    absent()
}

pub(super) fn arithmetic() -> Result<i32> {
    absent()
}

pub(super) fn set_arithmetic(_: i32) -> Result<()> {
    absent()
}

pub(super) fn keep_begin() -> Result<()> {
    absent()
}

pub(super) fn keep_end() -> Result<()> {
    absent()
}

pub(super) struct Meter;

pub(super) fn meter_begin(_: bool) -> Result<Meter> {
    absent()
}

pub(super) fn meter_read(_: &Meter) -> Result<[i64; 2]> {
    absent()
}

pub(super) fn meter_end(_: &mut Meter) -> Result<()> {
    absent()
}

pub(super) struct DeviceCopy;

pub(super) fn copy_begin(_: &Tensor) -> Result<DeviceCopy> {
    absent()
}

pub(super) fn copy_wait(_: &DeviceCopy) -> Result<Tensor> {
    absent()
}

pub(crate) fn free_cuda_memory(_: usize) -> Result<u64> {
    absent()
}

pub(super) fn cuda_release() -> Result<()> {
    absent()
}

pub(super) fn stream_new(_: i32) -> Result<i64> {
    absent()
}

pub(super) fn stream_enter(_: i32, _: i64) -> Result<i64> {
    absent()
}

pub(super) fn stream_leave(_: i32, _: i64) -> Result<()> {
    absent()
}

#[derive(Debug)]
pub(super) struct Graph;

pub(super) fn graph_new(_: i32) -> Result<Graph> {
    absent()
}

pub(super) fn graph_begin(_: &mut Graph, _: Option<&Graph>) -> Result<()> {
    absent()
}

pub(super) fn graph_end(_: &mut Graph) -> Result<()> {
    absent()
}

pub(super) fn graph_replay(_: &mut Graph) -> Result<()> {
    absent()
}

pub(super) fn profile_begin(_: bool) -> Result<()> {
    absent()
}

pub(super) fn profile_end(_: bool, _: Option<&CStr>) -> Result<()> {
    absent()
}

pub(crate) fn cuda_memory(_: usize) -> Result<[u64; 4]> {
    absent()
}

pub(crate) fn reset_cuda_memory_peak(_: usize) -> Result<()> {
    absent()
}

pub(crate) fn libtorch_config() -> Result<String> {
    absent()
}

pub(super) fn script_save(
    _: &CStr,
    _: &[CString],
    _: &[&Tensor],
    _: [&CStr; 2],
    _: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    absent()
}
