//! Tests that need a CUDA device. Without one they print a note and pass.
//!
//! They fill the device's memory and compare timings of the same kernels, so run them one at a time: `cargo test
//! --release --test cuda -- --test-threads=1`. The golden tests on CUDA are unit tests of the library (`cargo test
//! --lib cuda`).
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod common;
#[path = "cuda/nccl.rs"]
mod nccl;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{answer, small_data};
use geolearn::device::Precision;
use geolearn::inference::NormStatistics;
use geolearn::models::LoadOptions;
use geolearn::raster::Samples;
use geolearn::tch::{self, CModule, Kind, Tensor};
use geolearn::train::Checkpoint;
use geolearn::{CycleGan, DataBunch, Device, Domain, ErrorKind, FitOptions, Raster, RasterOptions};

/// Runs one test at a time, whatever the number of threads, since each may fill the device's memory.
static ONE: Mutex<()> = Mutex::new(());

/// Returns the device for the duration of a test, or prints why there is none.
fn device() -> Option<(Device, MutexGuard<'static, ()>)> {
    let chosen = Device::Auto.resolve().unwrap();
    if let tch::Device::Cuda(index) = chosen.torch() {
        return Some((Device::Cuda(index), ONE.lock().unwrap_or_else(PoisonError::into_inner)));
    }
    eprintln!("skipped: {}", chosen.reason().unwrap_or("no CUDA device"));
    None
}

/// Uses channels in multiples of 8, which tensor cores require, as in a model of real size.
fn model(data: &DataBunch, device: Device) -> CycleGan {
    let builder = CycleGan::builder(data).gen_blocks(2).gen_features(16).disc_features(16).pool_size(3);
    builder.device(device).build().unwrap()
}

/// The outcome of a training run.
struct Trained {
    /// A training loss and a validation loss per epoch.
    losses: [Vec<f64>; 2],
    weights: Weights,
    answer: ndarray::Array3<f32>,
}

type Weights = Vec<(String, Vec<f32>)>;

fn weights(model: &CycleGan) -> Weights {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    model.save_safetensors(&path).unwrap();
    weights_of(&path)
}

fn weights_of(file: &Path) -> Weights {
    let tensors = Tensor::read_safetensors(file).unwrap().into_iter();
    let mut all: Weights = tensors.map(|(name, t)| (name, Vec::try_from(t.flatten(0, -1)).unwrap())).collect();
    // Their order is not defined.
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

fn trained(device: Device, options: FitOptions) -> Trained {
    let folder = tempfile::tempdir().unwrap();
    let mut model = model(&small_data(folder.path()), device);
    let history = model.fit(options.progress(false)).unwrap();
    let losses = ["cycle", "valid_loss"].map(|name| history.losses(name).unwrap());
    assert!(losses.iter().all(|of_epochs| !of_epochs.is_empty()), "{losses:?}");
    Trained { losses, weights: weights(&model), answer: answer(&model) }
}

/// Fails unless the two are identical bit for bit, and reports the differences.
fn must_be_same(what: &str, found: &Trained, expected: &Trained) {
    assert_eq!(found.losses, expected.losses, "{what}: losses");
    must_show_same(what, (&found.weights, &found.answer), (&expected.weights, &expected.answer));
}

type Shown<'a> = (&'a Weights, &'a ndarray::Array3<f32>);

/// The same for weights, and for the translation of an image with them.
fn must_show_same(what: &str, found: Shown<'_>, expected: Shown<'_>) {
    let other: Vec<_> = found.0.iter().zip(expected.0).filter(|(a, b)| a != b).map(|((name, _), _)| name).collect();
    let most = (found.1 - expected.1).mapv(f32::abs).fold(0.0, |most: f32, &apart| most.max(apart));
    eprintln!("{what}: of {} weights {other:?} differ; images differ by up to {most:e} of 255", found.0.len());
    assert!(!found.0.is_empty() && found.0 == expected.0, "{what}: weights differ");
    assert!(found.1 == expected.1, "{what}: images differ by {most} of 255");
}

fn bundled(device: Device) -> CycleGan {
    CycleGan::from_model_with("tests/fixtures/models/sat2relief", LoadOptions::new().device(device)).unwrap()
}

#[test]
fn deterministic_training_repeats_to_the_bit() {
    let Some((device, _one)) = device() else { return };
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
        let run = || trained(device, FitOptions::new(3).deterministic(true).precision(precision));
        must_be_same(&precision.to_string(), &run(), &run());
    }
}

/// f32 sums are in a different order than on the CPU, and a few steps of Adam amplify the difference.
#[test]
fn cuda_trains_as_the_processor_does() {
    let Some((device, _one)) = device() else { return };
    let in_f32 = || FitOptions::new(2).precision(Precision::F32);
    let [expected, found] = [Device::Cpu, device].map(|device| trained(device, in_f32()).losses[0].clone());
    assert!((found[0] - expected[0]).abs() < 0.01 * expected[0], "{found:?} {expected:?}");
}

/// Uses `deterministic`, so that any difference is due to the precision. TF32 keeps 11 bits of each input, bfloat16 8.
#[test]
fn bf16_and_tf32_are_used_and_follow_f32() {
    let Some((device, _one)) = device() else { return };
    let run =
        |precision| trained(device, FitOptions::new(3).deterministic(true).precision(precision)).losses[0].clone();
    let exact = run(Precision::F32);
    for precision in [Precision::Bf16, Precision::Tf32] {
        for (a, b) in exact.iter().zip(run(precision)) {
            let apart = (a - b).abs() / a;
            assert!((1e-7..0.03).contains(&apart), "{precision}: {apart} apart");
        }
    }
    assert_eq!(run(Precision::Auto), run(Precision::Tf32), "the default is TF32");
}

#[test]
fn the_history_says_what_was_computed_in() {
    let Some((device, _one)) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut model = model(&small_data(folder.path()), device);
    model.fit(FitOptions::new(1).progress(false)).unwrap();
    model.fit(FitOptions::new(1).progress(false).precision(Precision::F32)).unwrap();
    let found: Vec<_> = model.history().epochs().iter().map(|epoch| epoch.precision).collect();
    assert_eq!(found, [Some(Precision::Tf32), Some(Precision::F32)]);
}

/// Independent of how a model was trained: passes without gradients sum in a fixed order.
#[test]
fn translations_repeat_to_the_bit() {
    let Some((device, _one)) = device() else { return };
    let model = bundled(device);
    let image = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap();
    let run = || model.predict_image(&image, Domain::B).unwrap().samples().clone();
    let first = (run(), answer(&model));
    for _ in 0..3 {
        assert!(run() == first.0, "a scene differs");
        assert!(answer(&model) == first.1, "an array differs");
    }
}

/// Each thread computes in its own precision, and does not change that of the other.
#[test]
fn two_trainings_at_once_do_not_disturb_each_other() {
    let Some((device, _one)) = device() else { return };
    let run = |precision| trained(device, FitOptions::new(2).deterministic(true).precision(precision));
    let alone = [Precision::F32, Precision::Tf32].map(run);
    let together = std::thread::scope(|scope| {
        [Precision::F32, Precision::Tf32]
            .map(|precision| scope.spawn(move || run(precision)))
            .map(|t| t.join().unwrap())
    });
    for (precision, (found, expected)) in [Precision::F32, Precision::Tf32].iter().zip(together.iter().zip(&alone)) {
        must_be_same(&format!("{precision} beside another"), found, expected);
    }
}

/// A state moved from the CPU to CUDA and back is identical bit for bit, and training continues there.
#[test]
fn a_checkpoint_goes_to_cuda_and_back() {
    let Some((device, _one)) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let checkpoints = folder.path().join("run");
    let options =
        |epochs| FitOptions::new(epochs).progress(false).checkpoint(Checkpoint::Last).checkpoint_dir(&checkpoints);
    model(&data, Device::Cpu).fit(options(2)).unwrap();
    let weights = |device: Device, name: &str| {
        let model = CycleGan::from_checkpoint_on(checkpoints.join("last.safetensors"), &data, device).unwrap();
        let path = folder.path().join(name);
        model.save_safetensors(&path).unwrap();
        std::fs::read(path).unwrap()
    };
    assert!(weights(Device::Cpu, "cpu.safetensors") == weights(device, "cuda.safetensors"), "weights differ");
    let mut resumed = model(&data, device);
    resumed.fit(options(2).resume(true)).unwrap();
    assert_eq!(resumed.history().epochs().len(), 2);
    let mut further = CycleGan::from_checkpoint_on(checkpoints.join("last.safetensors"), &data, device).unwrap();
    further.fit(FitOptions::new(1).progress(false)).unwrap();
    let place = further.save(folder.path().join("saved")).unwrap();
    let back = CycleGan::from_model_with(place, LoadOptions::new().device(Device::Cpu)).unwrap();
    assert_eq!(back.history().epochs().len(), 3);
}

/// Takes all of the device's memory except a few megabytes.
fn filler(device: Device, left: i64) -> Vec<Tensor> {
    let device = device.resolve().unwrap().torch();
    let block = |bytes: i64| Tensor::f_empty([bytes], (Kind::Uint8, device));
    let mut taken = Vec::new();
    let mut size = 1i64 << 36;
    while size >= 1 << 24 {
        match block(size) {
            Ok(tensor) => taken.push(tensor),
            Err(_) => size /= 2,
        }
    }
    let mut given_back = 0;
    while given_back < left {
        given_back += taken.pop().map_or(left, |tensor| tensor.numel() as i64);
    }
    taken
}

#[test]
fn a_lack_of_memory_leaves_the_model_as_it_was_and_the_next_call_works() {
    let Some((device, _one)) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 6, 5);
    let data = geolearn::PrepareData::new(chips, geolearn::DatasetType::CycleGan);
    let data = data.resize_to(512).batch_size(2).prepare().unwrap();
    let mut model = CycleGan::builder(&data).gen_blocks(2).device(device).build().unwrap();
    let before = (weights(&model), answer(&model));
    let full = filler(device, 64 << 20);
    let error = model.fit(FitOptions::new(1).progress(false).check_memory(false)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limits, "{error}");
    assert!(error.to_string().contains("batch"), "advice: {error}");
    drop(full);
    must_show_same("after a lack of memory", (&weights(&model), &answer(&model)), (&before.0, &before.1));
    model.fit(FitOptions::new(1).progress(false)).unwrap();
}

/// bfloat16 is rejected by name on devices without it, and used on devices with it.
#[test]
fn precisions_are_those_of_the_device() {
    let Some((device, _one)) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut model = model(&small_data(folder.path()), device);
    match model.fit(FitOptions::new(1).progress(false).precision(Precision::Bf16)) {
        Ok(history) => assert_eq!(history.epochs()[0].precision, Some(Precision::Bf16)),
        Err(error) => assert!(error.kind() == ErrorKind::Device && error.to_string().contains("8.0"), "{error}"),
    }
}

fn translated(device: Device, scene: &Path, options: RasterOptions) -> Raster {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.tif");
    bundled(device).predict_raster(scene, &output, options.progress(false)).unwrap();
    Raster::open(output).unwrap()
}

/// Tests odd sizes and a hole without data with each method for scenes. TF32 changes a pixel by a level or two of 255;
/// strict f32 only by rounding.
#[test]
fn scenes_are_those_of_the_processor() {
    let Some((device, _one)) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let scene = folder.path().join("scene.tif");
    let whole = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap().with_nodata(0.0);
    let Samples::U8(mut values) = whole.samples().clone() else { unreachable!("the scene has 8-bit samples") };
    let odd = (301.min(values.dim().1), 403.min(values.dim().2));
    values.slice_mut(ndarray::s![.., 40..90, 60..130]).fill(0);
    let values = values.slice(ndarray::s![.., ..odd.0, ..odd.1]).to_owned();
    Raster::new(values).unwrap().with_nodata(0.0).save(&scene).unwrap();
    for statistics in [
        NormStatistics::Scene,
        NormStatistics::Inputs,
        NormStatistics::Local { spacing: None },
        NormStatistics::Tile { padding: None },
    ] {
        let run = |device, precision| {
            let options = RasterOptions::new(Domain::B).statistics(statistics).tile_size(128).precision(precision);
            translated(device, &scene, options)
        };
        let expected = run(Device::Cpu, Precision::F32);
        for (precision, most) in [(Precision::F32, 0.02), (Precision::Tf32, 0.5), (Precision::Bf16, 3.0)] {
            let found = run(device, precision);
            assert_eq!((found.nodata(), found.place()), (expected.nodata(), expected.place()));
            let apart = (found.samples().to_f32() - expected.samples().to_f32()).mapv(f32::abs).mean().unwrap();
            assert!(apart < most, "{statistics:?} in {precision}: {apart} of 255 on average");
        }
    }
}

/// A scene too large to translate as a whole is translated in tiles, with about the same result.
#[test]
fn an_image_that_does_not_fit_is_done_in_tiles() {
    let Some((device, _one)) = device() else { return };
    let image = Raster::open("assets/scenes/bluemarble_asia.tif").unwrap();
    let model = bundled(device);
    let expected = model.predict_image(&image, Domain::B).unwrap();
    let full = filler(device, 128 << 20);
    let found = model.predict_image(&image, Domain::B).unwrap();
    drop(full);
    let apart = (found.samples().to_f32() - expected.samples().to_f32()).mapv(f32::abs).mean().unwrap();
    assert!(apart < 2.0, "{apart} of 255 on average");
}

#[test]
fn a_second_device_trains_too() {
    let Some((_, _one)) = device() else { return };
    if tch::Cuda::device_count() < 2 {
        eprintln!("there is only one CUDA device: nothing to compare");
        return;
    }
    let in_f32 = || FitOptions::new(1).precision(Precision::F32);
    let [first, second] = [0, 1].map(|index| trained(Device::Cuda(index), in_f32()).losses[0].clone());
    assert!((first[0] - second[0]).abs() < 0.01 * first[0], "{first:?} {second:?}");
}

/// The trial search stops when memory is exhausted, and leaves the model unchanged.
#[test]
fn a_batch_size_is_found() {
    let Some((device, _one)) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 6, 5);
    let data = geolearn::PrepareData::new(chips, geolearn::DatasetType::CycleGan);
    let data = data.resize_to(64).batch_size(geolearn::dataset::BatchSize::Auto).prepare().unwrap();
    let build =
        || CycleGan::builder(&data).gen_blocks(1).gen_features(16).disc_features(16).device(device).build().unwrap();
    let tried = build();
    assert!(!tried.batch_size_trials().is_empty());
    let fixed = data.with_batch_size(1).unwrap();
    let untried = CycleGan::builder(&fixed).gen_blocks(1).gen_features(16).disc_features(16).device(device);
    let untried = untried.build().unwrap();
    let found = (weights(&tried), answer(&tried));
    must_show_same("after the search", (&found.0, &found.1), (&weights(&untried), &answer(&untried)));
}

/// Exported files are for the CPU, whatever device the model is on, and also run on CUDA. f32 sums are in a different
/// order.
#[test]
fn an_export_from_cuda_is_bound_to_no_device() {
    let Some((device, _one)) = device() else { return };
    let folder = tempfile::tempdir().unwrap();
    let exported = [Device::Cpu, device].map(|device| {
        let model = bundled(device);
        let [script, onnx] = ["network.pt", "network.onnx"].map(|name| folder.path().join(name));
        model.export_torchscript(&script, Domain::B).unwrap();
        model.export_onnx(&onnx, Domain::B).unwrap();
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
    // TF32 may be on, with 11 bits as in half precision, through some twenty layers.
    for kind in [Kind::Float, Kind::Half] {
        let worst = (run(device.resolve().unwrap().torch(), kind) - &expected).abs().max().double_value(&[]);
        assert!(worst < 0.05, "{kind:?}: off by {worst}");
    }
}
