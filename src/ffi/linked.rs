//! Calls into the C++ shim.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::null_mut;

use tch::Tensor;
use torch_sys::C_tensor;

use super::forms::{AdamStep, ConvolutionForm, CudaOptions, NormForm};
use crate::error::{Error, Result};

unsafe extern "C" {
    fn geolearn_free(message: *mut c_char);
    fn geolearn_leaky_relu(input: *const C_tensor, slope: f64, output: *mut *mut C_tensor) -> *mut c_char;
    fn geolearn_scale(input: *const C_tensor, factor: f64, output: *mut *mut C_tensor) -> *mut c_char;
    fn geolearn_add(input: *const C_tensor, number: f64, output: *mut *mut C_tensor) -> *mut c_char;
    fn geolearn_at_least(input: *const C_tensor, least: f64, output: *mut *mut C_tensor) -> *mut c_char;
    fn geolearn_all_finite(tensors: *const *const C_tensor, count: usize, finite: *mut bool) -> *mut c_char;
    fn geolearn_zeros_pinned(sizes: *const i64, count: usize, output: *mut *mut C_tensor) -> *mut c_char;
    fn geolearn_cpu_layers_fit(x: *const C_tensor, channels: i64) -> bool;
    fn geolearn_share_among(threads: i32) -> i32;
    fn geolearn_convolution(
        x: *const C_tensor,
        weight: *const C_tensor,
        bias: *const C_tensor,
        stride: i64,
        padding: i64,
        transposed: bool,
        normalized: bool,
        output: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn geolearn_norm_activation(
        x: *const C_tensor,
        slope: f64,
        epsilon: f64,
        output: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn geolearn_residual(
        x: *const C_tensor,
        weight1: *const C_tensor,
        bias1: *const C_tensor,
        weight2: *const C_tensor,
        bias2: *const C_tensor,
        epsilon: f64,
        output: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn geolearn_residual_without_norms(
        x: *const C_tensor,
        weight1: *const C_tensor,
        bias1: *const C_tensor,
        weight2: *const C_tensor,
        bias2: *const C_tensor,
        output: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn geolearn_contiguous_gradient(input: *const C_tensor, output: *mut *mut C_tensor) -> *mut c_char;
    fn geolearn_channels_last(input: *const C_tensor, output: *mut *mut C_tensor) -> *mut c_char;
    fn geolearn_cuda_kernels_source(
        text: *const c_char,
        length: usize,
        folder: *const c_char,
        folder_length: usize,
        norms_on_chip: bool,
        recomputes: bool,
    ) -> *mut c_char;
    #[cfg(test)]
    fn geolearn_cuda_emulation_options(norms_on_chip: bool, recomputes: bool) -> *mut c_char;
    #[cfg(test)]
    fn geolearn_cuda_kernels_emulate(library: *const c_char) -> *mut c_char;
    fn geolearn_cuda_layers_fit(x: *const C_tensor, fit: *mut bool, trouble: *mut *mut c_char) -> *mut c_char;
    fn geolearn_cuda_convolution_norm(
        x: *const C_tensor,
        weight: *const C_tensor,
        stride: i64,
        padding: i64,
        transposed: bool,
        slope: f64,
        epsilon: f64,
        border: i64,
        output: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn geolearn_cuda_residual(
        x: *const C_tensor,
        weight1: *const C_tensor,
        weight2: *const C_tensor,
        epsilon: f64,
        border: i64,
        output: *mut *mut C_tensor,
    ) -> *mut c_char;
    fn geolearn_fused_adamw(
        params: *const *mut C_tensor,
        grads: *const *mut C_tensor,
        first: *const *mut C_tensor,
        second: *const *mut C_tensor,
        steps: *const *mut C_tensor,
        count: usize,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
    ) -> *mut c_char;
    fn geolearn_lerp_all(from: *const *mut C_tensor, to: *const *mut C_tensor, count: usize, share: f64)
    -> *mut c_char;
    fn geolearn_autocast_begin(cuda: bool, on: bool, was_on: *mut bool, old_dtype: *mut c_int) -> *mut c_char;
    fn geolearn_autocast_end(cuda: bool, was_on: bool, old_dtype: c_int) -> *mut c_char;
    fn geolearn_arithmetic_get(bits: *mut c_int) -> *mut c_char;
    fn geolearn_arithmetic_set(bits: c_int) -> *mut c_char;
    fn geolearn_keep_begin() -> *mut c_char;
    fn geolearn_keep_end() -> *mut c_char;
    fn geolearn_meter_begin(quiet: bool, meter: *mut *mut c_void) -> *mut c_char;
    fn geolearn_meter_read(meter: *const c_void, live: *mut i64, peak: *mut i64) -> *mut c_char;
    fn geolearn_meter_end(meter: *mut c_void) -> *mut c_char;
    fn geolearn_script_save(
        source: *const c_char,
        names: *const *const c_char,
        values: *const *const C_tensor,
        count: usize,
        extra_name: *const c_char,
        extra_text: *const c_char,
        context: *mut c_void,
        write: unsafe extern "C" fn(*mut c_void, *const c_void, usize),
    ) -> *mut c_char;
    fn geolearn_transfer_begin(tensor: *const C_tensor, transfer: *mut *mut c_void) -> *mut c_char;
    fn geolearn_transfer_wait(transfer: *const c_void, output: *mut *mut C_tensor) -> *mut c_char;
    fn geolearn_transfer_end(transfer: *mut c_void) -> *mut c_char;
    fn geolearn_cuda_free(index: c_int, free: *mut i64) -> *mut c_char;
    fn geolearn_cuda_release() -> *mut c_char;
    fn geolearn_stream_new(device: c_int, number: *mut i64) -> *mut c_char;
    fn geolearn_stream_enter(device: c_int, number: i64, before: *mut i64) -> *mut c_char;
    fn geolearn_stream_leave(device: c_int, before: i64) -> *mut c_char;
    fn geolearn_graph_new(device: c_int, graph: *mut *mut c_void) -> *mut c_char;
    fn geolearn_graph_begin(graph: *mut c_void, beside: *mut c_void) -> *mut c_char;
    fn geolearn_graph_end(graph: *mut c_void) -> *mut c_char;
    fn geolearn_graph_replay(graph: *mut c_void) -> *mut c_char;
    fn geolearn_graph_free(graph: *mut c_void) -> *mut c_char;
    fn geolearn_profile_begin(cuda: bool) -> *mut c_char;
    fn geolearn_profile_end(cuda: bool, path: *const c_char) -> *mut c_char;
    fn geolearn_cuda_memory(index: c_int, numbers: *mut i64) -> *mut c_char;
    fn geolearn_cuda_memory_reset(index: c_int) -> *mut c_char;
    fn geolearn_libtorch_config(
        context: *mut c_void,
        take: unsafe extern "C" fn(*mut c_void, *const c_void, usize),
    ) -> *mut c_char;
}

/// Converts the shim's answer to a `Result` and frees its message.
pub(super) fn check(message: *mut c_char) -> Result<()> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: a non-null answer is a NUL-terminated string from strdup, owned by us.
    let text = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    // SAFETY: the same string; it is not used again.
    unsafe { geolearn_free(message) };
    Err(Error::torch(text))
}

/// Returns the tensor that a call into the shim creates.
fn made(call: impl FnOnce(*mut *mut C_tensor) -> *mut c_char) -> Result<Tensor> {
    let mut output = null_mut();
    check(call(&mut output))?;
    // SAFETY: a call that succeeded has written a new tensor that nothing else owns.
    Ok(unsafe { Tensor::from_ptr(output) })
}

/// Computes `max(0, x) + slope * min(0, x)`, with gradient; tch's own has a fixed slope of 0.01.
pub(crate) fn leaky_relu(input: &Tensor, slope: f64) -> Result<Tensor> {
    // SAFETY: `input` outlives the call, which writes `output` only when it succeeds.
    made(|output| unsafe { geolearn_leaky_relu(input.as_ptr(), slope, output) })
}

/// Computes `factor * x`, with gradient; tch's scalar operators panic if libtorch reports an error.
pub(crate) fn scale(input: &Tensor, factor: f64) -> Result<Tensor> {
    // SAFETY: as for `leaky_relu`.
    made(|output| unsafe { geolearn_scale(input.as_ptr(), factor, output) })
}

/// Computes `x + number`, with gradient.
pub(crate) fn add(input: &Tensor, number: f64) -> Result<Tensor> {
    // SAFETY: as for `leaky_relu`.
    made(|output| unsafe { geolearn_add(input.as_ptr(), number, output) })
}

/// Computes `max(x, least)`, with gradient.
pub(crate) fn at_least(input: &Tensor, least: f64) -> Result<Tensor> {
    // SAFETY: as for `leaky_relu`.
    made(|output| unsafe { geolearn_at_least(input.as_ptr(), least, output) })
}

/// Returns whether all values of these floating-point tensors on one device are finite. Waits for the device once.
pub(crate) fn all_finite(tensors: &[&Tensor]) -> Result<bool> {
    let pointers: Vec<_> = tensors.iter().map(|tensor| tensor.as_ptr()).collect();
    let mut finite = false;
    // SAFETY: the tensors outlive the call; the pointer is to a local that lives through it.
    check(unsafe { geolearn_all_finite(pointers.as_ptr(), pointers.len(), &mut finite) })?;
    Ok(finite)
}

/// Creates f32 zeros in pinned CPU memory, from which CUDA copies asynchronously.
pub(super) fn zeros_pinned(shape: &[i64]) -> Result<Tensor> {
    // SAFETY: the sizes outlive the call, which writes `output` only when it succeeds.
    made(|output| unsafe { geolearn_zeros_pinned(shape.as_ptr(), shape.len(), output) })
}

pub(super) fn cpu_layers_fit(x: &Tensor, channels: i64) -> bool {
    // SAFETY: `x` outlives the call, which reads what is known of it without its values.
    unsafe { geolearn_cpu_layers_fit(x.as_ptr(), channels) }
}

pub(super) fn convolution(x: &Tensor, weight: &Tensor, bias: &Tensor, form: ConvolutionForm) -> Result<Tensor> {
    let ConvolutionForm { stride, padding, transposed, normalized } = form;
    let (x, weight, bias) = (x.as_ptr(), weight.as_ptr(), bias.as_ptr());
    // SAFETY: the tensors outlive the call, which writes `output` only when it succeeds.
    made(|output| unsafe { geolearn_convolution(x, weight, bias, stride, padding, transposed, normalized, output) })
}

pub(super) fn norm_activation(x: &Tensor, slope: f64, epsilon: f64) -> Result<Tensor> {
    // SAFETY: as for `leaky_relu`; the caller has asked whether `x` fits.
    made(|output| unsafe { geolearn_norm_activation(x.as_ptr(), slope, epsilon, output) })
}

pub(super) fn residual(x: &Tensor, parameters: [&Tensor; 4], epsilon: f64) -> Result<Tensor> {
    let [weight1, bias1, weight2, bias2] = parameters.map(Tensor::as_ptr);
    // SAFETY: as for `norm_activation`; the call compares the shapes before it reads values.
    made(|output| unsafe { geolearn_residual(x.as_ptr(), weight1, bias1, weight2, bias2, epsilon, output) })
}

pub(super) fn residual_without_norms(x: &Tensor, parameters: [&Tensor; 4]) -> Result<Tensor> {
    let [weight1, bias1, weight2, bias2] = parameters.map(Tensor::as_ptr);
    // SAFETY: as for `residual`.
    made(|output| unsafe { geolearn_residual_without_norms(x.as_ptr(), weight1, bias1, weight2, bias2, output) })
}

/// Sets the number of threads, at least one, that libtorch uses for this thread's work. Returns the previous number, or
/// 0 if unknown.
pub(super) fn share_among(threads: i32) -> i32 {
    // SAFETY: takes and gives numbers.
    unsafe { geolearn_share_among(threads) }
}

/// Returns the same tensor, with its gradient in NCHW memory.
pub(crate) fn with_contiguous_gradient(x: &Tensor) -> Result<Tensor> {
    // SAFETY: the handle is live; the call gives a new one or a message.
    made(|output| unsafe { geolearn_contiguous_gradient(x.as_ptr(), output) })
}

/// Returns the same values in NHWC memory.
pub(crate) fn channels_last(x: &Tensor) -> Result<Tensor> {
    // SAFETY: the handle is live; the call gives a new one or a message.
    made(|output| unsafe { geolearn_channels_last(x.as_ptr(), output) })
}

pub(super) fn cuda_kernels_source(text: &str, folder: &str, options: CudaOptions) -> Result<()> {
    let CudaOptions { norms_on_chip, recomputes } = options;
    let (text, length) = (text.as_ptr().cast(), text.len());
    let (folder, folder_length) = (folder.as_ptr().cast(), folder.len());
    // SAFETY: as many bytes as are there; the call copies them.
    check(unsafe { geolearn_cuda_kernels_source(text, length, folder, folder_length, norms_on_chip, recomputes) })
}

#[cfg(test)]
pub(super) fn cuda_emulation_options(options: CudaOptions) -> Result<()> {
    let CudaOptions { norms_on_chip, recomputes } = options;
    // SAFETY: no pointers are passed.
    check(unsafe { geolearn_cuda_emulation_options(norms_on_chip, recomputes) })
}

#[cfg(test)]
pub(super) fn cuda_kernels_emulate(library: &CStr) -> Result<()> {
    // SAFETY: a NUL-terminated path; the library is one that the test has built.
    check(unsafe { geolearn_cuda_kernels_emulate(library.as_ptr()) })
}

/// Returns whether the maps are supported, and the error if compiling kernels just failed.
pub(super) fn cuda_layers_fit(x: &Tensor) -> Result<(bool, Result<()>)> {
    let (mut fit, mut trouble) = (false, null_mut());
    // SAFETY: the handle is live; the pointers are to locals that live through the call.
    check(unsafe { geolearn_cuda_layers_fit(x.as_ptr(), &mut fit, &mut trouble) })?;
    Ok((fit, check(trouble)))
}

pub(super) fn cuda_convolution_norm(
    x: &Tensor,
    weight: &Tensor,
    form: ConvolutionForm,
    norm: NormForm,
) -> Result<Tensor> {
    let ConvolutionForm { stride, padding, transposed, .. } = form;
    let NormForm { slope, epsilon, border } = norm;
    let (x, weight) = (x.as_ptr(), weight.as_ptr());
    // SAFETY: the handles are live; the call compares shapes before it computes.
    made(|output| unsafe {
        geolearn_cuda_convolution_norm(x, weight, stride, padding, transposed, slope, epsilon, border, output)
    })
}

pub(super) fn cuda_residual(x: &Tensor, weights: [&Tensor; 2], epsilon: f64, border: i64) -> Result<Tensor> {
    let [first, second] = weights.map(Tensor::as_ptr);
    // SAFETY: as for `cuda_convolution_norm`.
    made(|output| unsafe { geolearn_cuda_residual(x.as_ptr(), first, second, epsilon, border, output) })
}

/// Updates the first of these lists, using the moments and step counts in the others.
pub(super) fn fused_adamw(lists: [&mut [Tensor]; 4], grads: &mut [Tensor], step: AdamStep) -> Result<()> {
    let pointers = |list: &mut [Tensor]| list.iter_mut().map(Tensor::as_mut_ptr).collect::<Vec<_>>();
    let [params, first, second, steps] = lists.map(pointers);
    let grads = pointers(grads);
    // SAFETY: the five lists have equal lengths, and entries the same form (checked by the caller); their tensors outlive
    // the call.
    check(unsafe {
        geolearn_fused_adamw(
            params.as_ptr(),
            grads.as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
            steps.as_ptr(),
            params.len(),
            step.lr,
            step.beta1,
            step.beta2,
            step.weight_decay,
            step.eps,
        )
    })
}

pub(super) fn lerp_all(from: &mut [Tensor], to: &mut [Tensor], share: f64) -> Result<()> {
    let pointers = |list: &mut [Tensor]| list.iter_mut().map(Tensor::as_mut_ptr).collect::<Vec<_>>();
    let (from, to) = (pointers(from), pointers(to));
    // SAFETY: the lists have equal lengths (checked by the caller), and their tensors outlive the call.
    check(unsafe { geolearn_lerp_all(from.as_ptr(), to.as_ptr(), from.len(), share) })
}

/// The previous autocast state.
pub(super) struct OldAutocast {
    cuda: bool,
    was_on: bool,
    dtype: c_int,
}

pub(super) fn autocast_begin(cuda: bool, on: bool) -> Result<OldAutocast> {
    let mut old = OldAutocast { cuda, was_on: false, dtype: 0 };
    // SAFETY: both pointers are to fields that live through the call.
    check(unsafe { geolearn_autocast_begin(cuda, on, &mut old.was_on, &mut old.dtype) })?;
    Ok(old)
}

pub(super) fn autocast_end(old: &OldAutocast) -> Result<()> {
    // SAFETY: plain values, given out by `geolearn_autocast_begin`.
    check(unsafe { geolearn_autocast_end(old.cuda, old.was_on, old.dtype) })
}

pub(super) fn arithmetic() -> Result<c_int> {
    let mut bits = 0;
    // SAFETY: the pointer is to a local that lives through the call.
    check(unsafe { geolearn_arithmetic_get(&mut bits) })?;
    Ok(bits)
}

pub(super) fn set_arithmetic(bits: c_int) -> Result<()> {
    // SAFETY: takes a plain value.
    check(unsafe { geolearn_arithmetic_set(bits) })
}

pub(super) fn keep_begin() -> Result<()> {
    // SAFETY: takes nothing; libtorch's allocator is replaced by one that serves all that the old one did.
    check(unsafe { geolearn_keep_begin() })
}

pub(super) fn keep_end() -> Result<()> {
    // SAFETY: called once for each `keep_begin`, by `Drop`.
    check(unsafe { geolearn_keep_end() })
}

/// A meter of libtorch's memory; it must end on the thread that started it, which the raw pointer ensures.
pub(super) struct Meter(*mut c_void);

pub(super) fn meter_begin(is_quiet: bool) -> Result<Meter> {
    let mut meter = null_mut();
    // SAFETY: the pointer is to a local that lives through the call.
    check(unsafe { geolearn_meter_begin(is_quiet, &mut meter) })?;
    Ok(Meter(meter))
}

/// Reads the bytes held now, and the peak.
pub(super) fn meter_read(meter: &Meter) -> Result<[i64; 2]> {
    let [mut live, mut peak] = [0; 2];
    // SAFETY: a `Meter` is what `geolearn_meter_begin` gave, until it is ended; both pointers are to locals that live
    // through the call.
    check(unsafe { geolearn_meter_read(meter.0, &mut live, &mut peak) })?;
    Ok([live, peak])
}

/// Only for `Drop`: the meter does not exist afterwards.
pub(super) fn meter_end(meter: &mut Meter) -> Result<()> {
    let pointer = std::mem::replace(&mut meter.0, null_mut());
    // SAFETY: what `geolearn_meter_begin` gave, given back once: a second call passes null, which is ignored.
    check(unsafe { geolearn_meter_end(pointer) })
}

/// A pending copy to main memory; it belongs to the thread that started it, which the raw pointer ensures.
pub(super) struct DeviceCopy(*mut c_void);

pub(super) fn copy_begin(tensor: &Tensor) -> Result<DeviceCopy> {
    let mut copy = null_mut();
    // SAFETY: the tensor outlives the call; the pointer is to a local that lives through it.
    check(unsafe { geolearn_transfer_begin(tensor.as_ptr(), &mut copy) })?;
    Ok(DeviceCopy(copy))
}

pub(super) fn copy_wait(copy: &DeviceCopy) -> Result<Tensor> {
    // SAFETY: a `DeviceCopy` is what `geolearn_transfer_begin` gave, until it is dropped.
    made(|output| unsafe { geolearn_transfer_wait(copy.0, output) })
}

impl Drop for DeviceCopy {
    fn drop(&mut self) {
        // SAFETY: what `geolearn_transfer_begin` gave, given back once.
        if let Err(error) = check(unsafe { geolearn_transfer_end(self.0) }) {
            tracing::warn!(%error, "a copy from a device cannot be ended");
        }
    }
}

pub(crate) fn free_cuda_memory(index: usize) -> Result<u64> {
    let mut free = 0;
    // SAFETY: the pointer is to a local that lives through the call.
    check(unsafe { geolearn_cuda_free(c_int::try_from(index).unwrap_or(c_int::MAX), &mut free) })?;
    Ok(u64::try_from(free).unwrap_or(0))
}

/// Returns memory that libtorch caches but does not use to the CUDA devices.
pub(super) fn cuda_release() -> Result<()> {
    // SAFETY: takes nothing; memory that a tensor has stays.
    check(unsafe { geolearn_cuda_release() })
}

/// Returns the number of a stream of the device other than its default one.
pub(super) fn stream_new(device: c_int) -> Result<i64> {
    let mut number = 0;
    // SAFETY: the pointer is to a local that lives through the call.
    check(unsafe { geolearn_stream_new(device, &mut number) })?;
    Ok(number)
}

/// Makes a stream from `stream_new` the current one of this thread, and returns the previous one.
pub(super) fn stream_enter(device: c_int, number: i64) -> Result<i64> {
    let mut before = 0;
    // SAFETY: libtorch's streams are never destroyed; the pointer is to a local that lives through the call.
    check(unsafe { geolearn_stream_enter(device, number, &mut before) })?;
    Ok(before)
}

/// Makes the previous stream from `stream_enter` the current one again, even on error.
pub(super) fn stream_leave(device: c_int, before: i64) -> Result<()> {
    // SAFETY: libtorch's streams are never destroyed.
    check(unsafe { geolearn_stream_leave(device, before) })
}

/// A recorded graph.
#[derive(Debug)]
pub(super) struct Graph(*mut c_void);

// SAFETY: CUDA lets any thread launch or destroy a graph, one at a time; libtorch's class keeps nothing of its thread.
unsafe impl Send for Graph {}

pub(super) fn graph_new(device: c_int) -> Result<Graph> {
    let mut graph = null_mut();
    // SAFETY: the pointer is to a local that lives through the call.
    check(unsafe { geolearn_graph_new(device, &mut graph) })?;
    Ok(Graph(graph))
}

pub(super) fn graph_begin(graph: &mut Graph, beside: Option<&Graph>) -> Result<()> {
    // SAFETY: a `Graph` is what `geolearn_graph_new` gave, until it is dropped; the other is only read.
    check(unsafe { geolearn_graph_begin(graph.0, beside.map_or(null_mut(), |graph| graph.0)) })
}

pub(super) fn graph_end(graph: &mut Graph) -> Result<()> {
    // SAFETY: as for `graph_begin`.
    check(unsafe { geolearn_graph_end(graph.0) })
}

pub(super) fn graph_replay(graph: &mut Graph) -> Result<()> {
    // SAFETY: as for `graph_begin`; memory that was in use while it was recorded is kept by those who replay it.
    check(unsafe { geolearn_graph_replay(graph.0) })
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: what `geolearn_graph_new` gave, given back once.
        if let Err(error) = check(unsafe { geolearn_graph_free(self.0) }) {
            tracing::warn!(%error, "a CUDA graph cannot be ended");
        }
    }
}

pub(super) fn profile_begin(cuda: bool) -> Result<()> {
    // SAFETY: takes a plain value.
    check(unsafe { geolearn_profile_begin(cuda) })
}

/// Stops what `profile_begin` started; writes the trace to `path` if given.
pub(super) fn profile_end(cuda: bool, path: Option<&CStr>) -> Result<()> {
    // SAFETY: null, or a NUL-terminated string that outlives the call.
    check(unsafe { geolearn_profile_end(cuda, path.map_or(std::ptr::null(), CStr::as_ptr)) })
}

/// Reads the bytes allocated now and at peak, and reserved now and at peak, of a CUDA device.
pub(crate) fn cuda_memory(index: usize) -> Result<[u64; 4]> {
    let mut numbers = [0; 4];
    // SAFETY: the pointer is to a local that has room for the four numbers and lives through the call.
    check(unsafe { geolearn_cuda_memory(c_int::try_from(index).unwrap_or(c_int::MAX), numbers.as_mut_ptr()) })?;
    Ok(numbers.map(|bytes: i64| u64::try_from(bytes).unwrap_or(0)))
}

pub(crate) fn reset_cuda_memory_peak(index: usize) -> Result<()> {
    // SAFETY: takes a plain value.
    check(unsafe { geolearn_cuda_memory_reset(c_int::try_from(index).unwrap_or(c_int::MAX)) })
}

pub(crate) fn libtorch_config() -> Result<String> {
    let mut text = Vec::new();
    let mut sink = |bytes: &[u8]| text.extend_from_slice(bytes);
    let mut sink: &mut dyn FnMut(&[u8]) = &mut sink;
    // SAFETY: `give` takes a pointer to such a sink; it and what it borrows outlive the call.
    check(unsafe { geolearn_libtorch_config((&raw mut sink).cast(), give) })?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Passes bytes to the sink that `context` points to.
pub(super) unsafe extern "C" fn give(context: *mut c_void, bytes: *const c_void, count: usize) {
    if count == 0 {
        return;
    }
    // SAFETY: callers pass a pointer to their sink, which nothing else uses during the call.
    let sink = unsafe { &mut *context.cast::<&mut dyn FnMut(&[u8])>() };
    // SAFETY: the C++ side passes a buffer of `count` bytes that it has filled.
    sink(unsafe { std::slice::from_raw_parts(bytes.cast(), count) });
}

/// Writes `source` with named tensors; `extra` is the name and text of an additional file.
pub(super) fn script_save(
    source: &CStr,
    names: &[CString],
    tensors: &[&Tensor],
    extra: [&CStr; 2],
    mut sink: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    let tensors: Vec<_> = tensors.iter().map(|tensor| tensor.as_ptr()).collect();
    // SAFETY: names and tensors are as many, and they, the strings and the sink outlive the call.
    check(unsafe {
        geolearn_script_save(
            source.as_ptr(),
            names.as_ptr(),
            tensors.as_ptr(),
            names.len().min(tensors.len()),
            extra[0].as_ptr(),
            extra[1].as_ptr(),
            (&raw mut sink).cast(),
            give,
        )
    })
}
