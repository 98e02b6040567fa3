//! What a device has computed, on its way to main memory while both go on.

use tch::Tensor;

use super::linked;
use crate::error::Result;

/// A tensor that is being copied to main memory.
pub(crate) struct Transfer(State);

enum State {
    /// It lies there already.
    Here(Tensor),
    Copying(linked::DeviceCopy),
}

impl Transfer {
    /// Begins to copy. Of a tensor in main memory it keeps the tensor itself.
    pub fn begin(tensor: &Tensor) -> Result<Self> {
        Ok(Self(match tensor.device().is_cuda() {
            true => State::Copying(linked::copy_begin(tensor)?),
            false => State::Here(tensor.shallow_clone()),
        }))
    }

    /// Waits until all of it is there; for what the device was asked to do later it does not wait.
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

    /// More work is given to the device before the copy is waited for, which must not change it.
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
