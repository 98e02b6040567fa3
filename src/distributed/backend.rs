//! The choice of the backend that transfers tensors between processes.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure::Names;
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi;

/// The library that transfers tensors between processes. Tensors in CPU memory always use Gloo.
///
/// | Variant | Tensors on CUDA devices use | Needs |
/// |---|---|---|
/// | `Auto` (default) | NCCL if every process has its own CUDA device, otherwise Gloo | |
/// | `Gloo` | Gloo, through CPU memory | |
/// | `Nccl` | NCCL, directly between devices | its own CUDA device for each process, and a libtorch with CUDA |
///
/// ```
/// use geolearn::distributed::{Backend, DistributedOptions};
///
/// let group = DistributedOptions::new().backend(Backend::Gloo).from_env()?;
/// assert_eq!(group.backend(), Backend::Gloo);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Backend {
    /// NCCL if every process has its own CUDA device, otherwise Gloo. The default.
    #[default]
    Auto,
    /// Gloo, through CPU memory and TCP.
    Gloo,
    /// NCCL, between CUDA devices.
    Nccl,
}

/// Validated options of a process group.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupConfig {
    pub timeout: Duration,
    pub backend: Backend,
    pub bf16_gradients: bool,
}

/// Returns the index of the CUDA device for a local rank: the device with that index, or the only visible one. `None`
/// if there is no CUDA.
pub(super) fn cuda_device(local_rank: usize) -> Option<usize> {
    match ffi::cuda_is_available().then(tch::Cuda::device_count) {
        None | Some(0) => None,
        Some(1) => Some(0),
        Some(_) => Some(local_rank),
    }
}

/// The backend that a process requests, and whether it can use NCCL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BackendSupport {
    requested: Backend,
    /// An identifier of its CUDA device, or why it cannot use NCCL.
    nccl_device: std::result::Result<String, String>,
}

impl BackendSupport {
    /// Probes the CUDA device of this process, if NCCL may be used.
    pub fn probe(requested: Backend, local_rank: usize) -> Self {
        let nccl_device = match requested {
            Backend::Gloo => Err("the process was told to use Gloo".to_owned()),
            Backend::Auto | Backend::Nccl => cuda_device_id(local_rank),
        };
        Self { requested, nccl_device }
    }

    /// Checks everything that does not depend on other processes.
    ///
    /// # Errors
    /// `Device` if NCCL is requested but this process cannot use it.
    pub fn check(&self) -> Result<()> {
        match (self.requested, &self.nccl_device) {
            (Backend::Nccl, Err(reason)) => Err(nccl_unavailable("this process", reason)),
            _ => Ok(()),
        }
    }
}

/// Returns a unique identifier of a device: its PCI bus ID, which NCCL also uses to distinguish devices, and the
/// kernel's boot ID, which containers on a machine share.
fn cuda_device_id(local_rank: usize) -> std::result::Result<String, String> {
    let index = cuda_device(local_rank).unwrap_or(0);
    Device::Cuda(index).resolve().map_err(|error| error.to_string())?;
    ffi::check_nccl().map_err(|error| error.to_string())?;
    let bus_id = ffi::cuda_bus_id(index).ok_or_else(|| format!("CUDA does not tell the PCI bus id of cuda:{index}"))?;
    let machine = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Ok(format!("{bus_id} of machine {}", machine.trim()))
}

/// Chooses the backend for tensors on CUDA devices, the same in all processes; never `Auto`.
///
/// # Errors
/// `Usage` if processes request different ones or share a device, `Device` if NCCL is requested and a process cannot
/// use it.
pub(super) fn choose_backend(supports: &[BackendSupport], names: &Names) -> Result<Backend> {
    let Some(requested) = supports.first().map(|support| support.requested) else { return Ok(Backend::Gloo) };
    if let Some((rank, other)) = supports.iter().enumerate().find(|(_, support)| support.requested != requested) {
        return Err(Error::new(ErrorKind::Usage, format!("{} requests another backend", names.rank(rank)))
            .expected(format!("{requested:?}, as process 0"))
            .found(format!("{:?}", other.requested))
            .help("Give all processes the same options."));
    }
    match (requested, nccl_obstacle(supports, names)) {
        (Backend::Gloo, _) => Ok(Backend::Gloo),
        (_, None) => Ok(Backend::Nccl),
        (Backend::Auto, Some(_)) => Ok(Backend::Gloo),
        (Backend::Nccl, Some(error)) => Err(error),
    }
}

/// Returns why these processes cannot use NCCL together.
fn nccl_obstacle(supports: &[BackendSupport], names: &Names) -> Option<Error> {
    let mut owners = BTreeMap::new();
    for (rank, support) in supports.iter().enumerate() {
        let device = match &support.nccl_device {
            Ok(device) => device,
            Err(reason) => return Some(nccl_unavailable(&names.rank(rank), reason)),
        };
        if let Some(other) = owners.insert(device, rank) {
            let what = format!("{} and {} have the same CUDA device", names.rank(other), names.rank(rank));
            return Some(
                Error::new(ErrorKind::Usage, what)
                    .expected("a device of its own for each process, which NCCL needs")
                    .found(device)
                    .help("Start one process for each GPU, each with its LOCAL_RANK, or use Backend::Gloo."),
            );
        }
    }
    None
}

fn nccl_unavailable(process: &str, reason: &str) -> Error {
    Error::new(ErrorKind::Device, format!("{process} cannot use NCCL"))
        .because(reason.to_owned())
        .help("Use Backend::Auto or Backend::Gloo, or see docs/setup.md for a libtorch with CUDA.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn support(requested: Backend, device: std::result::Result<&str, &str>) -> BackendSupport {
        BackendSupport { requested, nccl_device: device.map(str::to_owned).map_err(str::to_owned) }
    }

    fn choose(supports: &[BackendSupport]) -> Result<Backend> {
        let ranks = (0..supports.len()).map(|rank| format!("pid {rank}")).collect();
        choose_backend(supports, &Names { ranks, store_host: "process 0" })
    }

    #[test]
    fn nccl_is_for_processes_with_devices_of_their_own() {
        use Backend::{Auto, Gloo, Nccl};
        assert_eq!(choose(&[support(Auto, Ok("a")), support(Auto, Ok("b"))]).unwrap(), Nccl);
        assert_eq!(choose(&[support(Nccl, Ok("a")), support(Nccl, Ok("b"))]).unwrap(), Nccl);
        assert_eq!(choose(&[support(Gloo, Ok("a")), support(Gloo, Ok("b"))]).unwrap(), Gloo);
        assert_eq!(choose(&[support(Auto, Ok("a")), support(Auto, Ok("a"))]).unwrap(), Gloo);
        assert_eq!(choose(&[support(Auto, Ok("a")), support(Auto, Err("no driver"))]).unwrap(), Gloo);
        assert_eq!(choose(&[]).unwrap(), Gloo);
    }

    #[test]
    fn processes_that_cannot_use_nccl_are_named() {
        use Backend::{Auto, Nccl};
        let shared = choose(&[support(Nccl, Ok("a")), support(Nccl, Ok("b")), support(Nccl, Ok("a"))]).unwrap_err();
        assert_eq!(shared.kind(), ErrorKind::Usage);
        let words = shared.to_string();
        assert!(words.contains("process 0 (pid 0) and process 2 (pid 2) have the same CUDA device"), "{words}");
        let unavailable = choose(&[support(Nccl, Ok("a")), support(Nccl, Err("no driver"))]).unwrap_err();
        assert_eq!(unavailable.kind(), ErrorKind::Device);
        assert!(unavailable.to_string().contains("process 1 (pid 1) cannot use NCCL (no driver)"), "{unavailable}");
        let other = choose(&[support(Auto, Ok("a")), support(Nccl, Ok("b"))]).unwrap_err();
        assert!(other.to_string().contains("process 1 (pid 1) requests another backend: expected Auto"), "{other}");
    }

    /// On a machine without CUDA, the reason is the one that `Device` gives.
    #[test]
    fn nccl_without_cuda_is_an_error_that_says_why() {
        let support = BackendSupport::probe(Backend::Nccl, 0);
        match Device::Cuda(0).resolve() {
            Ok(_) => support.check().unwrap(),
            Err(why) => {
                let error = support.check().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Device);
                assert!(error.to_string().contains(why.summary()), "{error}");
                assert!(BackendSupport::probe(Backend::Auto, 0).check().is_ok());
            }
        }
        assert!(BackendSupport::probe(Backend::Gloo, 0).check().is_ok());
    }
}
