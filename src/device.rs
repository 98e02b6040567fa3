//! Devices and precisions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, Arithmetic, Capability, CudaLibrary, CudaRuntime, Repeats};
use crate::threads;

/// The device to compute on.
///
/// ```
/// use geolearn::Device;
///
/// let chosen = Device::Auto.resolve()?;
/// println!("{chosen}"); // "cuda:0" or "cpu (this libtorch is the CPU build: …)"
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Device {
    /// The first CUDA device that this libtorch has kernels for, or the CPU if there is none. The default.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device with this index, starting at 0.
    Cuda(usize),
}

/// The precision of the networks' arithmetic. Weights, optimizer moments and losses are always f32.
///
/// | Variant | Input of convolutions | Devices |
/// |---|---|---|
/// | `Auto` (default) | TF32 on CUDA devices that have it, as in PyTorch; f32 elsewhere | all |
/// | `F32` | f32 | all |
/// | `Tf32` | f32 rounded to 11 bits of precision: f32's range and memory | CUDA of compute capability 8.0 (Ampere) and newer |
/// | `Bf16` | bfloat16: 8 bits of exponent, 8 of precision; half the memory | the same, and processors with AMX; on other processors it is `F32`, which is faster there |
///
/// ```
/// use geolearn::FitOptions;
/// use geolearn::device::Precision;
///
/// let options = FitOptions::new(20).precision(Precision::Bf16);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Precision {
    /// TF32 if the device supports it, f32 otherwise. The default.
    #[default]
    Auto,
    /// 32-bit floating point throughout.
    F32,
    /// Convolutions may use bfloat16, which they do on CUDA and on CPUs with AMX. On other CPUs this is the same as
    /// [`F32`](Self::F32), which is faster there: see `docs/performance.md`.
    Bf16,
    /// CUDA only: inputs of convolutions are rounded to 11 bits of precision, with f32's range and memory.
    Tf32,
}

/// The first GPU generation with TF32 and bfloat16: NVIDIA Ampere.
const AMPERE: Capability = Capability { major: 8, minor: 0 };

impl Precision {
    /// Returns the precision that `device` will use; never [`Auto`](Self::Auto).
    ///
    /// # Errors
    /// [`ErrorKind::Device`] if the device does not support this precision.
    pub(crate) fn on(self, device: tch::Device) -> Result<Self> {
        let capability = match device {
            tch::Device::Cuda(index) => ffi::cuda_capability(index),
            _ => None,
        };
        self.for_capability(device.is_cuda(), capability).map_err(|error| error.found(format!("{device:?}")))
    }

    /// Logs that f32 replaces bfloat16.
    pub(crate) fn log_fallback(self, device: tch::Device) {
        if self == Self::Bf16 && !self.casts(device) {
            tracing::info!("using f32, which is faster than bfloat16 on a CPU without AMX");
        }
    }

    /// Returns the precision for the CPU, or for a CUDA device of this compute capability, if known.
    fn for_capability(self, is_cuda: bool, capability: Option<Capability>) -> Result<Self> {
        // A device of unknown capability has passed its test, and most devices support TF32 and bfloat16.
        let is_old = capability.is_some_and(|capability| capability < AMPERE);
        match self {
            Self::Auto if is_cuda && !is_old => Ok(Self::Tf32),
            Self::Auto => Ok(Self::F32),
            Self::Tf32 if !is_cuda || is_old => Err(Self::lacking("TF32", capability)),
            Self::Bf16 if is_old => Err(Self::lacking("bfloat16", capability)),
            _ => Ok(self),
        }
    }

    fn lacking(name: &str, capability: Option<Capability>) -> Error {
        let found = capability.map(|found| format!(", and this one has {found}")).unwrap_or_default();
        let what = format!("{name} needs a CUDA device of compute capability {AMPERE} or newer{found}");
        Error::new(ErrorKind::Device, what).help("Use Precision::Auto or Precision::F32.")
    }

    /// Returns whether convolutions use bfloat16 on `device`. AVX-512's bfloat16 instructions double the throughput of
    /// products, but the f32 algorithm of the residual blocks needs only a quarter of them.
    pub(crate) fn casts(self, device: tch::Device) -> bool {
        self == Self::Bf16 && (device.is_cuda() || has_matrix_units())
    }

    /// Returns the CUDA settings for a pass without gradients, which is bit-reproducible for the same images.
    pub(crate) fn arithmetic(self) -> Arithmetic {
        Arithmetic { tf32: self == Self::Tf32, repeats: Repeats::Convolutions, search: false }
    }

    /// Returns the CUDA settings for a training step.
    ///
    /// cuDNN's benchmark allocates scratch memory for the most demanding algorithm known for a convolution, whether or
    /// not it is tried. In f32 and TF32 that was about 8 GB for a default model, at any batch size (H200, cuDNN 9.19),
    /// and negligible in bfloat16. So only bfloat16 uses the benchmark, unless the process has enabled it.
    pub(crate) fn training_arithmetic(self, is_deterministic: bool) -> Arithmetic {
        let repeats = if is_deterministic { Repeats::Everything } else { Repeats::AsSet };
        Arithmetic { tf32: self == Self::Tf32, repeats, search: self == Self::Bf16 }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Tf32 => "tf32",
        })
    }
}

/// Returns whether the CPU has Intel's AMX units for bfloat16 matrix products.
fn has_matrix_units() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags = text.lines().find(|line| line.starts_with("flags"));
        flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == "amx_bf16"))
    })
}

/// A device that exists, and the reason for selecting it.
#[derive(Debug, Clone)]
pub struct ChosenDevice {
    torch: tch::Device,
    reason: Option<String>,
}

impl ChosenDevice {
    /// Returns the device as a libtorch device.
    pub fn torch(&self) -> tch::Device {
        self.torch
    }

    /// Returns why CUDA is not used, unless it is used or was declined.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }
}

impl fmt::Display for ChosenDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.torch {
            tch::Device::Cuda(i) => write!(f, "cuda:{i}")?,
            _ => f.write_str("cpu")?,
        }
        self.reason.as_ref().map_or(Ok(()), |reason| write!(f, " ({reason})"))
    }
}

impl Device {
    /// Converts from a libtorch device.
    pub(crate) fn of(device: tch::Device) -> Self {
        match device {
            tch::Device::Cuda(index) => Self::Cuda(index),
            _ => Self::Cpu,
        }
    }

    /// Finds the device.
    ///
    /// # Errors
    /// [`ErrorKind::Device`] if a CUDA device is requested but cannot be used; the message says why.
    pub fn resolve(self) -> Result<ChosenDevice> {
        threads::settle();
        // Also for the CPU, since computing there first could hide CUDA from later requests.
        ffi::cuda_library();
        let cpu = |reason| ChosenDevice { torch: tch::Device::Cpu, reason };
        match self {
            Self::Cpu => Ok(cpu(None)),
            Self::Auto => Ok(match first_cuda() {
                Ok(index) => ChosenDevice { torch: tch::Device::Cuda(index), reason: None },
                Err(reason) => cpu(Some(reason)),
            }),
            Self::Cuda(index) => cuda(index),
        }
    }
}

/// Returns the first usable CUDA device, or why there is none.
fn first_cuda() -> std::result::Result<usize, String> {
    if let Some(reason) = why_no_cuda() {
        return Err(reason);
    }
    let mut reasons = Vec::new();
    for index in 0..cuda_devices() {
        match why_not(index) {
            None => return Ok(index),
            Some(reason) => reasons.push(format!("cuda:{index}: {reason}")),
        }
    }
    Err(reasons.join("; "))
}

fn cuda(index: usize) -> Result<ChosenDevice> {
    let wanted = || Error::new(ErrorKind::Device, format!("device cuda:{index} cannot be used"));
    let advice = "Use Device::Auto or Device::Cpu, or see docs/setup.md for a libtorch with CUDA.";
    if let Some(reason) = why_no_cuda() {
        return Err(wanted().found(reason).help(advice));
    }
    let count = cuda_devices();
    if index >= count {
        return Err(wanted().expected(format!("an index below {count}")).found(index));
    }
    match why_not(index) {
        None => Ok(ChosenDevice { torch: tch::Device::Cuda(index), reason: None }),
        Some(reason) => Err(wanted().found(reason).help(advice)),
    }
}

fn cuda_devices() -> usize {
    usize::try_from(tch::Cuda::device_count()).unwrap_or(0)
}

/// Returns why there are no CUDA devices; `None` if there are.
fn why_no_cuda() -> Option<String> {
    if ffi::cuda_is_available() {
        return None;
    }
    Some(match ffi::cuda_library() {
        CudaLibrary::Missing(path) => format!("this libtorch is the CPU build: there is no {}", path.display()),
        CudaLibrary::Refused(message) => format!("libtorch's CUDA library did not load: {message}"),
        CudaLibrary::Declined => "RuntimeOptions::load_cuda has declined libtorch's CUDA library".into(),
        CudaLibrary::Loaded => why_no_device(&ffi::cuda_runtime()),
        CudaLibrary::Unknown => "libtorch reports no CUDA".into(),
    })
}

fn why_no_device(CudaRuntime { driver, built_with, trouble }: &CudaRuntime) -> String {
    match (driver, built_with) {
        (Some(driver), _) if driver.0 == 0 => "libtorch has CUDA, but no NVIDIA driver was found".into(),
        // Within a major version, newer releases run on older drivers.
        (Some(driver), Some(built_with)) if driver.0 / 1000 < built_with.0 / 1000 => {
            format!(
                "the NVIDIA driver runs CUDA {driver} at most, and this libtorch was built with {built_with}: update the driver"
            )
        }
        _ => match trouble {
            Some(words) => format!("CUDA finds no device: {words}"),
            None if driver.is_some() && built_with.is_some() => {
                "libtorch had looked for CUDA before geolearn loaded its CUDA library: call geolearn::runtime::init before \
                 anything of tch"
                    .into()
            }
            None => "libtorch has CUDA, but no NVIDIA device or driver was found".into(),
        },
    }
}

/// Returns why the device with this index cannot be used; tests it once. A libtorch has kernels only for some GPU
/// generations, and no function reports which.
fn why_not(index: usize) -> Option<String> {
    static TRIED: Mutex<BTreeMap<usize, Option<String>>> = Mutex::new(BTreeMap::new());
    let mut tried = TRIED.lock().unwrap_or_else(PoisonError::into_inner);
    tried
        .entry(index)
        .or_insert_with(|| try_kernels(tch::Device::Cuda(index)).err().map(|error| refusal(index, &error)))
        .clone()
}

fn refusal(index: usize, error: &Error) -> String {
    match ffi::cuda_capability(index) {
        _ if error.is_out_of_memory() => format!("its memory is used up ({error})"),
        Some(capability) => {
            format!("this libtorch cannot compute on a device of compute capability {capability} ({error})")
        }
        None => format!("this libtorch cannot compute on it ({error})"),
    }
}

/// Computes a convolution of ones, whose sum is known.
fn try_kernels(device: tch::Device) -> Result<()> {
    let sum = tch::no_grad(|| {
        let ones = |size: [i64; 4]| Tensor::f_ones(size, (Kind::Float, device));
        let made = ones([1, 8, 8, 8])?.f_conv2d(&ones([8, 8, 3, 3])?, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1)?;
        made.f_sum(Kind::Float)?.f_double_value(&[])
    })?;
    // 8 channels of 6 x 6 pixels, each the sum of 8 channels of 3 x 3.
    match sum == (8 * 36 * 72) as f64 {
        true => Ok(()),
        false => Err(Error::new(ErrorKind::Device, "a convolution of ones has a wrong result").found(sum)),
    }
}

/// Returns the bytes of main memory available without swapping; `None` if the system does not report it.
pub(crate) fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let free = meminfo(&text, "MemAvailable:")?;
    Some(cgroup_room().map_or(free, |room| room.min(free)))
}

/// Returns the bytes available for training on `device`. On the CPU swap counts too, since part of a process is rarely
/// used.
pub(crate) fn free_memory(device: tch::Device) -> Option<u64> {
    if let tch::Device::Cuda(index) = device {
        return ffi::free_cuda_memory(index)
            .inspect_err(|error| tracing::warn!(%error, "CUDA does not report how much memory is free"))
            .ok();
    }
    let swap = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo(&text, "SwapFree:"));
    available_memory().map(|free| free.saturating_add(swap.unwrap_or(0)))
}

fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Returns how much memory a container may still use, if limited: `/proc/meminfo` is about the whole machine.
fn cgroup_room() -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/memory.{name}")).ok();
    let most = read("max")?.trim().parse::<u64>().ok()?;
    let used = read("current")?.trim().parse::<u64>().ok()?;
    let stat = read("stat")?;
    // The kernel drops these file pages when memory is short.
    let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
    Some(most.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ffi::CudaVersion;

    #[test]
    fn cpu_is_always_there_and_auto_gives_a_reason_without_cuda() {
        assert_eq!(Device::Cpu.resolve().unwrap().to_string(), "cpu");
        let auto = Device::Auto.resolve().unwrap();
        assert_eq!(auto.reason().is_none(), tch::Cuda::is_available());
    }

    /// Otherwise a program linked without CUDA would never find it.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_cuda_library_is_looked_for() {
        assert!(!matches!(ffi::cuda_library(), CudaLibrary::Unknown));
    }

    #[test]
    fn a_precision_is_chosen_and_refused_by_what_the_device_can_do() {
        let of = |major, minor| (true, Some(Capability { major, minor }));
        let chosen = |asked: Precision, (is_cuda, capability)| asked.for_capability(is_cuda, capability).ok();
        for (device, auto, tf32, bf16) in [
            ((false, None), Precision::F32, None, Some(Precision::Bf16)),
            (of(7, 5), Precision::F32, None, None),
            (of(8, 0), Precision::Tf32, Some(Precision::Tf32), Some(Precision::Bf16)),
            (of(9, 0), Precision::Tf32, Some(Precision::Tf32), Some(Precision::Bf16)),
            ((true, None), Precision::Tf32, Some(Precision::Tf32), Some(Precision::Bf16)),
        ] {
            assert_eq!(chosen(Precision::Auto, device), Some(auto), "{device:?}");
            assert_eq!(chosen(Precision::F32, device), Some(Precision::F32), "{device:?}");
            assert_eq!((chosen(Precision::Tf32, device), chosen(Precision::Bf16, device)), (tf32, bf16), "{device:?}");
        }
        let error = Precision::Bf16.for_capability(true, of(7, 5).1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(error.to_string().contains("8.0 or newer, and this one has 7.5"), "{error}");
        assert_eq!(Precision::Auto.on(tch::Device::Cpu).unwrap(), Precision::F32);
    }

    #[test]
    fn the_reason_for_no_device_is_the_true_one() {
        let version = |number| Some(CudaVersion(number));
        let reason = |driver, built_with, trouble: Option<&str>| {
            why_no_device(&CudaRuntime { driver, built_with, trouble: trouble.map(String::from) })
        };
        assert!(reason(version(0), version(13_000), Some("no driver")).contains("no NVIDIA driver"));
        let old = reason(version(12_020), version(13_000), Some("driver version is insufficient"));
        assert!(old.contains("CUDA 12.2 at most") && old.contains("13.0"), "{old}");
        let hidden = reason(version(13_000), version(13_000), Some("no CUDA-capable device is detected"));
        assert!(hidden.contains("no CUDA-capable device is detected"), "{hidden}");
        let hidden = reason(version(13_000), version(13_000), None);
        assert!(hidden.contains("runtime::init before"), "{hidden}");
        assert!(reason(None, None, None).contains("no NVIDIA device or driver"));
    }

    /// The test convolution itself, on every machine.
    #[test]
    fn a_device_with_kernels_passes_the_trial() {
        try_kernels(tch::Device::Cpu).unwrap();
        if !tch::Cuda::is_available() {
            assert!(try_kernels(tch::Device::Cuda(0)).is_err());
        }
    }

    #[test]
    fn absent_cuda_is_an_error_with_advice() {
        let error = Device::Cuda(9999).resolve().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(error.to_string().contains("cuda:9999"), "{error}");
    }
}
