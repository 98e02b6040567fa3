//! What only a CUDA device can show. Without one these tests say so and pass.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use common::{answer, small_data};
use geolearn::{CycleGan, Device, FitOptions, Precision};

/// A device, or a line that says why there is none.
fn device() -> Option<Device> {
    let chosen = Device::Auto.resolve().unwrap();
    if chosen.torch().is_cuda() {
        return Some(Device::Cuda(0));
    }
    eprintln!("skipped: {}", chosen.reason().unwrap_or("no CUDA device"));
    None
}

fn trained(device: Device, options: FitOptions) -> (ndarray::Array3<f32>, Vec<f64>) {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let builder = CycleGan::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).pool_size(3).device(device);
    let mut model = builder.build().unwrap();
    let history = model.fit(options.progress(false)).unwrap();
    (answer(&model), history.losses("cycle").unwrap())
}

#[test]
fn deterministic_training_repeats_to_the_bit() {
    let Some(device) = device() else { return };
    let run = || trained(device, FitOptions::new(3).deterministic(true));
    assert_eq!(run(), run());
}

/// f32 sums in another order than the processor's: the first epoch's losses agree to a per cent.
#[test]
fn cuda_trains_as_the_processor_does() {
    let Some(device) = device() else { return };
    let (_, expected) = trained(Device::Cpu, FitOptions::new(2));
    let (_, found) = trained(device, FitOptions::new(2));
    assert!((found[0] - expected[0]).abs() < 0.01 * expected[0], "{found:?} {expected:?}");
}

#[test]
fn bf16_and_tf32_follow_f32() {
    let Some(device) = device() else { return };
    let (_, exact) = trained(device, FitOptions::new(3));
    for precision in [Precision::Bf16, Precision::Tf32] {
        let (_, found) = trained(device, FitOptions::new(3).precision(precision));
        assert_ne!(found, exact, "{precision:?} was not used");
        for (a, b) in exact.iter().zip(&found) {
            assert!((a - b).abs() < 0.03 * a, "{precision:?}: {found:?} {exact:?}");
        }
    }
}
