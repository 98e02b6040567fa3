//! Asynchronous copies of results from a device to main memory.

use tch::Tensor;

use super::linked;
use crate::error::Result;

/// A tensor that is being copied to main memory.
pub(crate) struct Transfer(State);

enum State {
    /// Already there.
    Here(Tensor),
    Copying(linked::DeviceCopy),
}

impl Transfer {
    /// Starts the copy. A tensor in main memory is kept as it is.
    pub fn begin(tensor: &Tensor) -> Result<Self> {
        Ok(Self(match tensor.device().is_cuda() {
            true => State::Copying(linked::copy_begin(tensor)?),
            false => State::Here(tensor.shallow_clone()),
        }))
    }

    /// Waits until the copy is complete, but not for work submitted to the device later.
    pub fn finish(self) -> Result<Tensor> {
        match self.0 {
            State::Here(tensor) => Ok(tensor),
            State::Copying(copy) => linked::copy_wait(&copy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use tch::{Device, Kind};

    /// More work is submitted to the device before waiting for the copy; it must not change the copy.
    #[test]
    fn what_arrives_from_cuda_is_what_was_there() {
        for device in [Some(Device::Cpu), testing::cuda()].into_iter().flatten() {
            let tensor = Tensor::arange(3 * 500 * 400, (Kind::Float, device)).view([3, 500, 400]).narrow(1, 20, 300);
            let expected = tensor.copy().to_device(Device::Cpu);
            let transfer = Transfer::begin(&tensor).unwrap();
            let _later = tensor.matmul(&tensor.transpose(1, 2));
            assert_eq!(transfer.finish().unwrap(), expected);
            drop(Transfer::begin(&tensor).unwrap());
        }
    }
}
