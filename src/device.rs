//! Which device computes, and why.

use std::fmt;
use std::sync::{Once, OnceLock};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, CudaLibrary};

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
pub enum Device {
    /// The first CUDA device where one can be used, else the processor. The default.
    #[default]
    Auto,
    /// The processor.
    Cpu,
    /// The CUDA device with this index, from 0.
    Cuda(usize),
}

/// The arithmetic of the networks in training. Weights, moments of the optimiser and losses are f32 in each.
///
/// ```
/// use geolearn::{FitOptions, Precision};
///
/// let options = FitOptions::new(20).precision(Precision::Bf16);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Precision {
    /// 32-bit floating point throughout. The default.
    #[default]
    F32,
    /// Convolutions may take bfloat16: 8 bits of exponent, 8 of precision. They do on CUDA, and on processors with AMX. On
    /// other processors this is the same as [`F32`](Self::F32), which is faster there: see `docs/performance.md`.
    Bf16,
    /// CUDA only: inputs of convolutions are rounded to 11 bits of precision, which keeps f32's range and memory.
    Tf32,
}

impl Precision {
    /// Whether `device` can compute so.
    pub(crate) fn check(self, device: tch::Device) -> Result<()> {
        if self == Self::Tf32 && !device.is_cuda() {
            return Err(Error::new(ErrorKind::Device, "TF32 needs a CUDA device")
                .found(format!("{device:?}"))
                .help("Use Precision::F32 or Precision::Bf16."));
        }
        if self == Self::Bf16 && !self.casts(device) {
            tracing::info!("without AMX, f32 is faster than bfloat16 on a processor, and is used");
        }
        Ok(())
    }

    /// Whether convolutions take bfloat16 on `device`. AVX-512's instructions for it double the rate of products; the
    /// algorithm that residual blocks take in f32 needs a quarter of them.
    pub(crate) fn casts(self, device: tch::Device) -> bool {
        self == Self::Bf16 && (device.is_cuda() || has_matrix_units())
    }
}

/// Threads that libtorch shares a piece of work among, on the processor.
///
/// From the start as many as there are real cores, and no more than the process may use: of a container's share too, which
/// libtorch does not look at. `OMP_NUM_THREADS` in the environment goes before that, and [`set_num_threads`] before both.
///
/// ```
/// assert!(geolearn::num_threads() >= 1);
/// ```
pub fn num_threads() -> usize {
    settle_threads();
    usize::try_from(tch::get_num_threads()).unwrap_or(1)
}

/// Lets libtorch share a piece of work among so many threads, in the whole process. More than there are real cores makes
/// everything slower. Sums depend on it: for the same bits, the same number.
///
/// ```
/// let before = geolearn::num_threads();
/// geolearn::set_num_threads(1)?;
/// assert_eq!(geolearn::num_threads(), 1);
/// geolearn::set_num_threads(before)?;
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// `Usage` for 0, and for more than 1,024.
pub fn set_num_threads(threads: usize) -> Result<()> {
    const MOST: usize = 1024;
    settle_threads();
    match i32::try_from(threads) {
        Ok(count) if (1..=MOST).contains(&threads) => {
            tch::set_num_threads(count);
            Ok(())
        }
        _ => Err(Error::new(ErrorKind::Usage, "this cannot be a number of threads")
            .expected(format!("1 to {MOST}"))
            .found(threads)),
    }
}

/// Once, before anything is computed.
fn settle_threads() {
    static SETTLED: Once = Once::new();
    SETTLED.call_once(|| {
        if std::env::var_os("OMP_NUM_THREADS").is_some() {
            return;
        }
        let most = std::thread::available_parallelism().ok().and_then(|n| i32::try_from(n.get()).ok());
        if let Some(most) = most.filter(|&most| most < tch::get_num_threads()) {
            tch::set_num_threads(most);
        }
    });
}

/// Whether the processor has Intel's units for products of bfloat16 matrices.
fn has_matrix_units() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let flags = text.lines().find(|line| line.starts_with("flags"));
        flags.is_some_and(|line| line.split_whitespace().any(|flag| flag == "amx_bf16"))
    })
}

/// A device that is there, and the reason for choosing it.
#[derive(Debug, Clone)]
pub struct ChosenDevice {
    torch: tch::Device,
    reason: Option<String>,
}

impl ChosenDevice {
    /// As libtorch names it.
    pub fn torch(&self) -> tch::Device {
        self.torch
    }

    /// Why CUDA is not used, when it is not and was not declined.
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
    /// Looks for the device.
    ///
    /// # Errors
    /// [`ErrorKind::Device`] when a CUDA device is asked for and cannot be used; the message says why.
    pub fn resolve(self) -> Result<ChosenDevice> {
        settle_threads();
        let cpu = |reason| ChosenDevice { torch: tch::Device::Cpu, reason };
        match self {
            Self::Cpu => Ok(cpu(None)),
            Self::Auto => Ok(match why_not_cuda() {
                None => ChosenDevice { torch: tch::Device::Cuda(0), reason: None },
                Some(reason) => cpu(Some(reason)),
            }),
            Self::Cuda(index) => cuda(index),
        }
    }
}

fn cuda(index: usize) -> Result<ChosenDevice> {
    let wanted = || Error::new(ErrorKind::Device, format!("device cuda:{index} cannot be used"));
    if let Some(reason) = why_not_cuda() {
        return Err(wanted()
            .found(reason)
            .help("Use Device::Auto or Device::Cpu, or see docs/setup.md for a libtorch with CUDA."));
    }
    let count = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
    if index >= count {
        return Err(wanted().expected(format!("an index below {count}")).found(index));
    }
    Ok(ChosenDevice { torch: tch::Device::Cuda(index), reason: None })
}

/// `None` when CUDA works.
fn why_not_cuda() -> Option<String> {
    if tch::Cuda::is_available() {
        return None;
    }
    Some(match ffi::cuda_library() {
        CudaLibrary::Missing(path) => format!("this libtorch is the CPU build: there is no {}", path.display()),
        CudaLibrary::Refused(message) => format!("libtorch's CUDA library did not load: {message}"),
        CudaLibrary::Loaded => "libtorch has CUDA, but no NVIDIA device or driver was found".into(),
        CudaLibrary::Unknown => "libtorch reports no CUDA".into(),
    })
}

/// Bytes of main memory that can be taken without swapping; `None` where the system does not say.
pub(crate) fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let free = meminfo(&text, "MemAvailable:")?;
    Some(cgroup_room().map_or(free, |room| room.min(free)))
}

/// Bytes that a training on `device` can take: on the processor swap counts too, since part of a process is seldom
/// used.
pub(crate) fn free_memory(device: tch::Device) -> Option<u64> {
    if let tch::Device::Cuda(index) = device {
        return ffi::free_cuda_memory(index)
            .inspect_err(|error| tracing::warn!(%error, "CUDA does not say how much memory is free"))
            .ok();
    }
    let swap = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| meminfo(&text, "SwapFree:"));
    available_memory().map(|free| free.saturating_add(swap.unwrap_or(0)))
}

fn meminfo(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What a container may still take, where it has a limit: `/proc/meminfo` tells of the whole machine.
fn cgroup_room() -> Option<u64> {
    let read = |name: &str| std::fs::read_to_string(format!("/sys/fs/cgroup/memory.{name}")).ok();
    let most = read("max")?.trim().parse::<u64>().ok()?;
    let used = read("current")?.trim().parse::<u64>().ok()?;
    let stat = read("stat")?;
    // The kernel drops these pages of files when memory is short.
    let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok());
    Some(most.saturating_sub(used.saturating_sub(cached.unwrap_or(0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_always_there_and_auto_gives_a_reason_without_cuda() {
        assert_eq!(Device::Cpu.resolve().unwrap().to_string(), "cpu");
        let auto = Device::Auto.resolve().unwrap();
        assert_eq!(auto.reason().is_none(), tch::Cuda::is_available());
    }

    /// Else CUDA would never be found by a program that was linked without it.
    #[test]
    #[cfg(target_os = "linux")]
    fn the_cuda_library_was_looked_for_before_main() {
        assert!(!matches!(ffi::cuda_library(), CudaLibrary::Unknown));
    }

    /// Changes nothing that the tests beside it could see.
    #[test]
    fn threads_can_be_set_within_reason() {
        assert!(set_num_threads(num_threads()).is_ok());
        for wrong in [0, 1025, usize::MAX] {
            assert_eq!(set_num_threads(wrong).unwrap_err().kind(), ErrorKind::Usage);
        }
    }

    #[test]
    fn absent_cuda_is_an_error_with_advice() {
        let error = Device::Cuda(9999).resolve().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Device);
        assert!(error.to_string().contains("cuda:9999"), "{error}");
    }
}
