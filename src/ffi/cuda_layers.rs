//! CUDA layers that combine this crate's own kernels with cuDNN's convolutions, in NHWC memory.
//!
//! Their maps include the padding for the next convolution: (N, C, H + 2b, W + 2b), with a border of reflected pixels.
//! The kernels (`cuda/layers.cu` and `cuda/on_chip.cu`) are compiled for the device when a layer is first used, and
//! cached for the next process.

use std::path::PathBuf;
use std::sync::OnceLock;

use tch::Tensor;

use super::forms::{ConvolutionForm, CudaOptions, NormForm};
use super::linked;
use super::switch::is_switched_on;
use crate::error::Result;

const KERNELS: &str = concat!(include_str!("cuda/layers.cu"), include_str!("cuda/on_chip.cu"));
/// Disables (0) or enables (1) these layers.
const SWITCH: &str = "GEOLEARN_CUDA_LAYERS";
/// Enables (1) norms that read each map once if it fits in shared memory. Off by default: not measured on a device yet.
const ON_CHIP: &str = "GEOLEARN_CUDA_NORMS_ON_CHIP";
/// Lets residual blocks compute their inner map again for the gradient (1), or keep it (0).
const RECOMPUTE: &str = "GEOLEARN_CUDA_RECOMPUTE";

/// Returns whether the functions below can process maps like `x`, with any number of channels, on its device and with
/// the thread's current settings.
pub(crate) fn cuda_layers_fit(x: &Tensor) -> bool {
    if !(x.device().is_cuda() && hand_over_kernels() || is_emulated(x)) {
        return false;
    }
    let Some((fit, trouble)) = told(linked::cuda_layers_fit(x)) else { return false };
    told(trouble);
    fit
}

/// Returns a weight (N, C, H, W) in the memory order that these layers need on its device, so that no step converts it.
pub(crate) fn with_weight_layout(weight: Tensor) -> Result<Tensor> {
    if weight.device().is_cuda() && are_on() { linked::channels_last(&weight) } else { Ok(weight) }
}

/// Computes `leaky_relu(instance_norm(conv(x)))`.
///
/// # Shapes
/// `x` is (N, C, H, W), with or without a border; the result is (N, C', H' + 2 border, W' + 2 border).
pub(crate) fn convolution_norm(x: &Tensor, weight: &Tensor, form: ConvolutionForm, norm: NormForm) -> Result<Tensor> {
    linked::cuda_convolution_norm(x, weight, form, norm)
}

/// Computes `x + norm(conv(reflect(relu(norm(conv(reflect(x)))))))` with both 3x3 weights.
///
/// # Shapes
/// `x` is (N, C, H + 2, W + 2), with a border of 1; the result is (N, C, H + 2 border, W + 2 border).
pub(crate) fn bordered_residual(x: &Tensor, weights: [&Tensor; 2], epsilon: f64, border: i64) -> Result<Tensor> {
    linked::cuda_residual(x, weights, epsilon, border)
}

/// Sets the folder that caches compiled kernels for the next process. Call it before the first network runs; only the
/// first call has an effect.
pub(crate) fn keep_cuda_kernels_in(folder: PathBuf) {
    let _ = FOLDER.set(folder);
}

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

fn are_on() -> bool {
    static ON: OnceLock<bool> = OnceLock::new();
    *ON.get_or_init(|| is_switched_on(SWITCH, true))
}

/// Registers the kernels once, unless disabled by the environment.
fn hand_over_kernels() -> bool {
    static DONE: OnceLock<bool> = OnceLock::new();
    *DONE.get_or_init(|| {
        let folder = FOLDER.get().and_then(|folder| folder.to_str()).unwrap_or_default();
        are_on() && told(linked::cuda_kernels_source(KERNELS, folder, by_environment())).is_some()
    })
}

fn by_environment() -> CudaOptions {
    let CudaOptions { norms_on_chip, recomputes } = CudaOptions::default();
    CudaOptions {
        norms_on_chip: is_switched_on(ON_CHIP, norms_on_chip),
        recomputes: is_switched_on(RECOMPUTE, recomputes),
    }
}

/// Returns the result, or logs the error, since libtorch's operators are then used instead.
fn told<T>(result: Result<T>) -> Option<T> {
    result
        .inspect_err(|error| tracing::warn!(%error, "using libtorch's operators instead of this crate's CUDA layers"))
        .ok()
}

#[cfg(not(all(test, target_os = "linux")))]
fn is_emulated(_: &Tensor) -> bool {
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
use emulation::is_emulated;
#[cfg(test)]
#[cfg(target_os = "linux")]
pub(crate) use emulation::{emulate_cuda, emulate_cuda_with};

/// The kernels compiled for the CPU, so that whole networks can be compared without a device.
#[cfg(test)]
#[cfg(target_os = "linux")]
mod emulation {
    use std::cell::Cell;
    use std::ffi::CString;
    use std::path::Path;
    use std::process::Command;
    use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

    use tch::Tensor;

    use super::{CudaOptions, linked};

    thread_local! {
        static ON: Cell<bool> = const { Cell::new(false) };
    }

    static LIBRARY: LazyLock<()> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("kernels.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ffi/cuda/emulated.cpp");
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
        let options = ["-O2", "-std=c++17", "-shared", "-fPIC", "-o"];
        let built = Command::new(compiler).args(options).arg(&library).arg(source).output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        linked::cuda_kernels_emulate(&CString::new(library.to_str().unwrap()).unwrap()).unwrap();
    });

    /// Runs `work` with these layers on the CPU, on this thread.
    pub(crate) fn emulate_cuda<T>(work: impl FnOnce() -> T) -> T {
        emulate_cuda_with(CudaOptions::default(), work)
    }

    /// Runs `work` with these layers on the CPU, on this thread, with options other than the default ones.
    pub(crate) fn emulate_cuda_with<T>(options: CudaOptions, work: impl FnOnce() -> T) -> T {
        LazyLock::force(&LIBRARY);
        let _emulated = Emulated::begin(options);
        work()
    }

    /// Ends even if a test panics, since test threads are reused. Only one test at a time, because the options belong
    /// to the process.
    struct Emulated(#[allow(dead_code, reason = "held until the end")] MutexGuard<'static, ()>);

    impl Emulated {
        fn begin(options: CudaOptions) -> Self {
            static ONE: Mutex<()> = Mutex::new(());
            let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
            linked::cuda_emulation_options(options).unwrap();
            ON.set(true);
            Self(one)
        }
    }

    impl Drop for Emulated {
        fn drop(&mut self) {
            ON.set(false);
        }
    }

    pub(super) fn is_emulated(x: &Tensor) -> bool {
        x.device() == tch::Device::Cpu && ON.get()
    }
}
