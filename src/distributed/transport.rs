//! The libtorch process groups, and which of them transfers which tensor.

use std::mem::ManuallyDrop;

use tch::{Device, Tensor};

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{Exchange, TensorGroup};

/// The NCCL process group.
#[derive(Debug)]
pub(super) struct NcclGroup {
    /// Index of the CUDA device of this process.
    pub device: usize,
    pub group: TensorGroup,
}

/// The libtorch process groups of one process.
#[derive(Debug)]
pub(super) struct BackendGroups {
    pub gloo: TensorGroup,
    pub nccl: Option<NcclGroup>,
}

/// How a tensor is transferred to other processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// With Gloo, from CPU memory.
    Gloo,
    /// With Gloo, through a copy in CPU memory.
    GlooStaged,
    /// With NCCL, from CUDA memory.
    Nccl,
}

impl Transport {
    /// Returns the transport for tensors on `device`; `nccl` is the index of the CUDA device that NCCL uses.
    ///
    /// # Errors
    /// `Usage` for a different CUDA device.
    pub fn of(device: Device, nccl: Option<usize>) -> Result<Self> {
        match (device, nccl) {
            (Device::Cuda(_), None) => Ok(Self::GlooStaged),
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

    /// Returns the device from which a tensor on device `own` is sent and received.
    pub fn device(self, own: Device) -> Device {
        if self == Self::Nccl { own } else { Device::Cpu }
    }
}

impl BackendGroups {
    fn by(&mut self, transport: Transport) -> &mut TensorGroup {
        match (transport, &mut self.nccl) {
            (Transport::Nccl, Some(nccl)) => &mut nccl.group,
            _ => &mut self.gloo,
        }
    }

    /// Starts an all-reduce: a contiguous tensor becomes the sum over all processes, in place.
    pub fn all_reduce(&mut self, transport: Transport, tensor: &mut Tensor) -> Result<Exchange> {
        self.by(transport).sum(tensor)
    }

    /// Starts an all-gather: `all` becomes the tensors of all processes, by rank.
    pub fn all_gather(&mut self, transport: Transport, own: &Tensor, all: &mut [Tensor]) -> Result<Exchange> {
        self.by(transport).gather(own, all)
    }

    /// Starts a broadcast: the tensor of rank 0 replaces those of the others.
    pub fn broadcast(&mut self, transport: Transport, tensor: &mut Tensor) -> Result<Exchange> {
        self.by(transport).broadcast(tensor)
    }

    /// Leaks the groups after a collective failed, because libtorch's threads may still be in it. A CUDA device would
    /// wait for NCCL forever, so NCCL is aborted, on a separate thread because that takes a while.
    pub fn abandon(self) {
        let Self { gloo, nccl } = self;
        let _ = ManuallyDrop::new(gloo);
        let Some(NcclGroup { group, .. }) = nccl else { return };
        let mut group = ManuallyDrop::new(group);
        let abort = move || {
            if let Err(error) = group.abort() {
                tracing::warn!(%error, "NCCL was not aborted");
            }
        };
        if let Err(error) = std::thread::Builder::new().name("abort of NCCL".into()).spawn(abort) {
            tracing::warn!(%error, "the thread that aborts NCCL cannot be started");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_transport_follows_from_the_device() {
        let of = |device, nccl| Transport::of(device, nccl).unwrap();
        assert_eq!((of(Device::Cpu, None), of(Device::Cpu, Some(1))), (Transport::Gloo, Transport::Gloo));
        assert_eq!(of(Device::Cuda(1), None), Transport::GlooStaged);
        assert_eq!(of(Device::Cuda(1), Some(1)), Transport::Nccl);
        let error = Transport::of(Device::Cuda(0), Some(1)).unwrap_err().to_string();
        assert!(error.contains("expected cuda:1, found cuda:0"), "{error}");
        assert_eq!(Transport::Nccl.device(Device::Cuda(1)), Device::Cuda(1));
        assert_eq!(Transport::GlooStaged.device(Device::Cuda(1)), Device::Cpu);
    }
}
