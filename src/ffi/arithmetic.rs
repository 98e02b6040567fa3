//! Switches of libtorch that decide how it computes; each is put back where it was.

use super::linked::{self, OldAutocast};
use crate::error::Result;

const TF32: i32 = 1 | 2;
const DETERMINISTIC: i32 = 4 | 8;

/// Runs `work` with the operators that stand it cast to bfloat16, such as convolutions, on this thread.
pub(crate) fn autocast<T>(on: bool, device: tch::Device, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let _cast = if on { Some(Cast(linked::autocast_begin(device.is_cuda())?)) } else { None };
    work()
}

struct Cast(OldAutocast);

impl Drop for Cast {
    fn drop(&mut self) {
        if let Err(error) = linked::autocast_end(&self.0) {
            tracing::warn!(%error, "autocast cannot be put back");
        }
    }
}

/// Arithmetic on CUDA as it is to be while this lives. The switches are those of the whole process.
pub(crate) struct Arithmetic(i32);

impl Arithmetic {
    /// Matrix products with TF32 inputs or not, and only kernels whose result is the same every time or any.
    pub fn set(tf32: bool, deterministic: bool) -> Result<Self> {
        let old = Self(linked::arithmetic()?);
        let wanted = if tf32 { TF32 } else { 0 } | if deterministic { DETERMINISTIC } else { 0 };
        linked::set_arithmetic(wanted)?;
        Ok(old)
    }
}

/// Plain f32 on CUDA while this lives, whatever libtorch's default is; `None` on other devices.
pub(crate) fn exact(device: tch::Device) -> Result<Option<Arithmetic>> {
    if !device.is_cuda() {
        return Ok(None);
    }
    Arithmetic::set(false, is_deterministic()).map(Some)
}

impl Drop for Arithmetic {
    fn drop(&mut self) {
        if let Err(error) = linked::set_arithmetic(self.0) {
            tracing::warn!(%error, "libtorch's switches cannot be put back");
        }
    }
}

/// Whether only kernels are allowed whose result is the same every time.
pub(crate) fn is_deterministic() -> bool {
    linked::arithmetic().is_ok_and(|bits| bits & DETERMINISTIC != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn convolutions_are_cast_inside_and_only_there() {
        let ones = |size: &[i64]| Tensor::ones(size, (Kind::Float, Device::Cpu));
        let (x, w) = (ones(&[1, 2, 8, 8]), ones(&[2, 2, 3, 3]));
        let kind = || x.conv2d(&w, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1).kind();
        assert_eq!(autocast(true, Device::Cpu, || Ok(kind())).unwrap(), Kind::BFloat16);
        assert_eq!(autocast(false, Device::Cpu, || Ok(kind())).unwrap(), Kind::Float);
        assert_eq!(kind(), Kind::Float);
    }

    /// One test, because the switches are those of the process.
    #[test]
    fn switches_are_put_back() {
        let before = linked::arithmetic().unwrap();
        {
            let _set = Arithmetic::set(true, true).unwrap();
            assert_eq!(linked::arithmetic().unwrap(), TF32 | DETERMINISTIC);
            assert!(is_deterministic());
        }
        assert_eq!(linked::arithmetic().unwrap(), before);
    }
}
