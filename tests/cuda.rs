//! What only a CUDA device can show. Without one these tests say so and pass.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod common;

use common::{answer, small_data};
use geolearn::tch::{self, CModule, Kind, Tensor};
use geolearn::{CycleGan, Device, Domain, FitOptions, LoadOptions, Precision};

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

/// Files for the processor, whatever the model computes on; and they run on CUDA. f32 sums in another order.
#[test]
fn what_is_exported_from_cuda_is_bound_to_no_device() {
    let Some(device) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let exported = [Device::Cpu, device].map(|device| {
        let model = CycleGan::from_model_with("assets/models/sat2relief", LoadOptions::new().device(device)).unwrap();
        let [script, onnx] = ["network.pt", "network.onnx"].map(|name| folder.path().join(name));
        model.export_torchscript(Domain::B, &script).unwrap();
        model.export_onnx(Domain::B, &onnx).unwrap();
        [script, onnx].map(|path| std::fs::read(path).unwrap())
    });
    assert!(exported[0] == exported[1], "the files depend on the device");
    let x = (Tensor::arange(3 * 61 * 64, (Kind::Float, tch::Device::Cpu)) * 0.011).sin().view([1, 3, 61, 64]);
    let run = |device, kind| {
        let mut network = CModule::load_data_on_device(&mut exported[0][0].as_slice(), device).unwrap();
        network.to(device, kind, false);
        let y = network.forward_ts(&[x.to_device(device).to_kind(kind)]).unwrap();
        assert_eq!((y.device(), y.kind()), (device, kind));
        y.to_device(tch::Device::Cpu).to_kind(Kind::Float)
    };
    let expected = run(tch::Device::Cpu, Kind::Float);
    // TF32 may be on, of 11 bits as half precision is; through some twenty layers.
    for kind in [Kind::Float, Kind::Half] {
        let worst = (run(device.resolve().unwrap().torch(), kind) - &expected).abs().max().double_value(&[]);
        assert!(worst < 0.05, "{kind:?}: off by {worst}");
    }
}
