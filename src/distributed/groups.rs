//! The groups of libtorch that carry the tensors of one process.

use std::mem::ManuallyDrop;

use tch::{Device, Tensor};

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{Exchange, TensorGroup};

/// The processes by NCCL.
#[derive(Debug)]
pub(super) struct Nccl {
    /// Index of this process's CUDA device.
    pub device: usize,
    pub group: TensorGroup,
}

/// What carries tensors, by where they lie.
#[derive(Debug)]
pub(super) struct Groups {
    pub gloo: TensorGroup,
    pub nccl: Option<Nccl>,
}

/// How a tensor travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Road {
    /// By Gloo, in main memory.
    Gloo,
    /// By Gloo, through a copy in main memory.
    Staged,
    /// By NCCL.
    Nccl,
}

impl Road {
    /// Of tensors on this device, where `nccl` is the index of the device that NCCL connects.
    ///
    /// # Errors
    /// `Usage` for another CUDA device than that.
    pub fn of(device: Device, nccl: Option<usize>) -> Result<Self> {
        match (device, nccl) {
            (Device::Cuda(_), None) => Ok(Self::Staged),
            (Device::Cuda(index), Some(connected)) if index == connected => Ok(Self::Nccl),
            (Device::Cuda(index), Some(connected)) => {
                Err(Error::new(ErrorKind::Usage, "tensors are on another device than the one that NCCL connects")
                    .expected(format!("cuda:{connected}"))
                    .found(format!("cuda:{index}"))
                    .help("Build the model with `.device(group.device())`."))
            }
            _ => Ok(Self::Gloo),
        }
    }

    /// Where tensors are while they travel.
    pub fn device(self, own: Device) -> Device {
        if self == Self::Nccl { own } else { Device::Cpu }
    }
}

impl Groups {
    fn by(&mut self, road: Road) -> &mut TensorGroup {
        match (road, &mut self.nccl) {
            (Road::Nccl, Some(nccl)) => &mut nccl.group,
            _ => &mut self.gloo,
        }
    }

    /// Begins to sum a contiguous tensor over all processes, where it is.
    pub fn sum(&mut self, road: Road, tensor: &mut Tensor) -> Result<Exchange> {
        self.by(road).sum(tensor)
    }

    /// Begins to copy the tensors of all processes into `all`.
    pub fn gather(&mut self, road: Road, own: &Tensor, all: &mut [Tensor]) -> Result<Exchange> {
        self.by(road).gather(own, all)
    }

    /// Begins to copy the tensor of the first process over those of the others.
    pub fn broadcast(&mut self, road: Road, tensor: &mut Tensor) -> Result<Exchange> {
        self.by(road).broadcast(tensor)
    }

    /// Gives the groups up after an exchange that failed: libtorch's threads may still be in it, so nothing is freed. A device
    /// would wait for NCCL's for ever, and is told not to, by a thread of its own, since that takes a while.
    pub fn forget(self) {
        let Self { gloo, nccl } = self;
        std::mem::forget(gloo);
        let Some(Nccl { group, .. }) = nccl else { return };
        let mut group = ManuallyDrop::new(group);
        let abort = move || {
            if let Err(error) = group.abort() {
                tracing::warn!(%error, "an exchange by NCCL was not ended");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("end of NCCL".into()).spawn(abort) {
            tracing::warn!(%error, "a thread that ends an exchange by NCCL cannot be started");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_go_by_what_reaches_their_device() {
        let of = |device, nccl| Road::of(device, nccl).unwrap();
        assert_eq!((of(Device::Cpu, None), of(Device::Cpu, Some(1))), (Road::Gloo, Road::Gloo));
        assert_eq!((of(Device::Cuda(1), None), of(Device::Cuda(1), Some(1))), (Road::Staged, Road::Nccl));
        let error = Road::of(Device::Cuda(0), Some(1)).unwrap_err().to_string();
        assert!(error.contains("expected cuda:1, found cuda:0"), "{error}");
        assert_eq!(Road::Nccl.device(Device::Cuda(1)), Device::Cuda(1));
        assert_eq!(Road::Staged.device(Device::Cuda(1)), Device::Cpu);
    }
}
