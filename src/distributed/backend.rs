//! Which library carries tensors from process to process.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi;

/// The library that carries tensors from process to process. What lies on the processor goes by Gloo in any case.
///
/// | Variant | Tensors on CUDA devices go by | Needs |
/// |---|---|---|
/// | `Auto` (default) | NCCL where every process has a CUDA device of its own, else Gloo | |
/// | `Gloo` | Gloo, through main memory | |
/// | `Nccl` | NCCL, from device to device | a CUDA device for each process, and a libtorch with CUDA |
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
    /// NCCL where every process has a CUDA device of its own, else Gloo. The default.
    #[default]
    Auto,
    /// Gloo: through main memory and TCP.
    Gloo,
    /// NCCL: between CUDA devices.
    Nccl,
}

/// What a process wants of its group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    pub timeout: Duration,
    pub backend: Backend,
    pub bf16_gradients: bool,
}

/// Returns the index of the CUDA device for the process of this number on its machine: the device of that index, or the only
/// one that the process sees. `None` where there is no CUDA.
pub(super) fn cuda_device(local_rank: usize) -> Option<usize> {
    match ffi::cuda_is_available().then(tch::Cuda::device_count) {
        None | Some(0) => None,
        Some(1) => Some(0),
        Some(_) => Some(local_rank),
    }
}

/// What a process tells the others of the libraries that it can use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Offer {
    wanted: Backend,
    /// What tells its CUDA device from all others, or why it has none for NCCL.
    device: std::result::Result<String, String>,
}

impl Offer {
    /// Looks at the device of this process, where that is wanted.
    pub fn of(wanted: Backend, local_rank: usize) -> Self {
        let device = match wanted {
            Backend::Gloo => Err("it is to use Gloo".to_owned()),
            Backend::Auto | Backend::Nccl => device_name(local_rank),
        };
        Self { wanted, device }
    }

    /// Checks what this process alone can tell.
    ///
    /// # Errors
    /// `Device` where NCCL is asked for, and this process cannot use it.
    pub fn check(&self) -> Result<()> {
        match (self.wanted, &self.device) {
            (Backend::Nccl, Err(why)) => Err(lacking("this process".to_owned(), why)),
            _ => Ok(()),
        }
    }
}

/// What tells a device from all others: the kernel that runs its machine, which containers share, and where on that it is
/// plugged in, by which NCCL too tells devices apart.
fn device_name(local_rank: usize) -> std::result::Result<String, String> {
    let index = cuda_device(local_rank).unwrap_or(0);
    Device::Cuda(index).resolve().map_err(|error| error.to_string())?;
    ffi::check_nccl().map_err(|error| error.to_string())?;
    let place = ffi::cuda_bus_id(index).ok_or_else(|| format!("CUDA does not say where cuda:{index} is plugged in"))?;
    let machine = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Ok(format!("{place} of machine {}", machine.trim()))
}

/// Returns the library that all processes use for tensors on CUDA devices; never `Auto`. All come to the same answer.
///
/// # Errors
/// `Usage` where processes want different ones or share a device, `Device` where one cannot use NCCL and that is asked for.
pub(super) fn chosen(offers: &[Offer], names: &[String]) -> Result<Backend> {
    let named = |rank: usize| format!("process {rank} ({})", names[rank]);
    let Some(wanted) = offers.first().map(|offer| offer.wanted) else { return Ok(Backend::Gloo) };
    if let Some(rank) = offers.iter().position(|offer| offer.wanted != wanted) {
        return Err(Error::new(ErrorKind::Usage, format!("{} is to use another backend", named(rank)))
            .expected(format!("{wanted:?}, as process 0"))
            .found(format!("{:?}", offers[rank].wanted))
            .help("Give all processes the same options."));
    }
    match (wanted, obstacle(offers, named)) {
        (Backend::Gloo, _) => Ok(Backend::Gloo),
        (_, None) => Ok(Backend::Nccl),
        (Backend::Auto, Some(_)) => Ok(Backend::Gloo),
        (Backend::Nccl, Some(error)) => Err(error),
    }
}

/// Why these processes cannot use NCCL together.
fn obstacle(offers: &[Offer], named: impl Fn(usize) -> String) -> Option<Error> {
    let mut owners = BTreeMap::new();
    for (rank, offer) in offers.iter().enumerate() {
        let device = match &offer.device {
            Ok(device) => device,
            Err(why) => return Some(lacking(named(rank), why)),
        };
        if let Some(other) = owners.insert(device, rank) {
            let what = format!("{} and {} have the same CUDA device", named(other), named(rank));
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

fn lacking(who: String, why: &str) -> Error {
    Error::new(ErrorKind::Device, format!("{who} cannot use NCCL"))
        .because(why.to_owned())
        .help("Use Backend::Auto or Backend::Gloo, or see docs/setup.md for a libtorch with CUDA.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(wanted: Backend, device: std::result::Result<&str, &str>) -> Offer {
        Offer { wanted, device: device.map(str::to_owned).map_err(str::to_owned) }
    }

    fn choose(offers: &[Offer]) -> Result<Backend> {
        let names: Vec<String> = (0..offers.len()).map(|rank| format!("id {rank}")).collect();
        chosen(offers, &names)
    }

    #[test]
    fn nccl_is_for_processes_with_devices_of_their_own() {
        use Backend::{Auto, Gloo, Nccl};
        assert_eq!(choose(&[offer(Auto, Ok("a")), offer(Auto, Ok("b"))]).unwrap(), Nccl);
        assert_eq!(choose(&[offer(Nccl, Ok("a")), offer(Nccl, Ok("b"))]).unwrap(), Nccl);
        assert_eq!(choose(&[offer(Gloo, Ok("a")), offer(Gloo, Ok("b"))]).unwrap(), Gloo);
        assert_eq!(choose(&[offer(Auto, Ok("a")), offer(Auto, Ok("a"))]).unwrap(), Gloo);
        assert_eq!(choose(&[offer(Auto, Ok("a")), offer(Auto, Err("no driver"))]).unwrap(), Gloo);
        assert_eq!(choose(&[]).unwrap(), Gloo);
    }

    #[test]
    fn processes_that_cannot_use_nccl_are_named() {
        use Backend::{Auto, Nccl};
        let shared = choose(&[offer(Nccl, Ok("a")), offer(Nccl, Ok("b")), offer(Nccl, Ok("a"))]).unwrap_err();
        assert_eq!(shared.kind(), ErrorKind::Usage);
        let words = shared.to_string();
        assert!(words.contains("process 0 (id 0) and process 2 (id 2) have the same CUDA device"), "{words}");
        let lacking = choose(&[offer(Nccl, Ok("a")), offer(Nccl, Err("no driver"))]).unwrap_err();
        assert_eq!(lacking.kind(), ErrorKind::Device);
        assert!(lacking.to_string().contains("process 1 (id 1) cannot use NCCL (no driver)"), "{lacking}");
        let other = choose(&[offer(Auto, Ok("a")), offer(Nccl, Ok("b"))]).unwrap_err();
        assert!(other.to_string().contains("process 1 (id 1) is to use another backend: expected Auto"), "{other}");
    }

    /// On a machine without CUDA the reason is the one that `Device` gives.
    #[test]
    fn nccl_without_cuda_is_an_error_that_says_why() {
        let offer = Offer::of(Backend::Nccl, 0);
        match Device::Cuda(0).resolve() {
            Ok(_) => offer.check().unwrap(),
            Err(why) => {
                let error = offer.check().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Device);
                assert!(error.to_string().contains(why.summary()), "{error}");
                assert!(Offer::of(Backend::Auto, 0).check().is_ok());
            }
        }
        assert!(Offer::of(Backend::Gloo, 0).check().is_ok());
    }
}
