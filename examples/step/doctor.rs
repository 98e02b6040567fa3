//! Reports which device is selected, why, and whether it computes correctly.

use std::process::ExitCode;

use geolearn::Device;
use geolearn::runtime::num_threads;
use tch::{Kind, Tensor};

use crate::work::Outcome;

/// Exit status if CUDA is required but not usable.
const NO_CUDA: u8 = 4;

pub fn examine(need_cuda: bool) -> Outcome<ExitCode> {
    println!("geolearn {}, {} threads", env!("CARGO_PKG_VERSION"), num_threads());
    println!("{}", geolearn::profile::libtorch_config()?.trim());
    let chosen = Device::Auto.resolve()?;
    println!("device: {chosen}");
    if need_cuda && !chosen.torch().is_cuda() {
        println!("CUDA is required but not usable: {}", chosen.reason().unwrap_or("no reason was given"));
        return Ok(ExitCode::from(NO_CUDA));
    }
    match convolve(chosen.torch()) {
        Ok(apart) if apart < 1e-2 => {
            println!("a convolution on it differs from the CPU's by {apart:.1e}");
            Ok(ExitCode::SUCCESS)
        }
        Ok(apart) => {
            println!("a convolution on it differs from the CPU's by {apart:.1e}, which is wrong");
            Ok(ExitCode::from(NO_CUDA))
        }
        Err(error) => {
            println!("a convolution on it fails: {error}");
            Ok(ExitCode::from(NO_CUDA))
        }
    }
}

/// Returns how far a convolution on `device` is from the CPU's, relative to its magnitude.
fn convolve(device: tch::Device) -> geolearn::Result<f64> {
    let values = |shape: [i64; 4]| -> Result<Tensor, tch::TchError> {
        Tensor::f_arange(shape.iter().product::<i64>(), (Kind::Float, tch::Device::Cpu))?.f_sin()?.f_view(shape)
    };
    let (x, w) = (values([1, 16, 32, 32])?, values([16, 16, 3, 3])?);
    let on = |device| -> Result<Tensor, tch::TchError> {
        let (x, w) = (x.f_to_device(device)?, w.f_to_device(device)?);
        x.f_conv2d(&w, None::<Tensor>, 1, 1, 1, 1)?.f_to_device(tch::Device::Cpu)
    };
    let (found, expected) = (on(device)?, on(tch::Device::Cpu)?);
    let share = found.f_sub(&expected)?.f_norm()?.f_div(&expected.f_norm()?)?;
    Ok(f64::try_from(share)?)
}
