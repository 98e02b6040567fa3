//! Memory of training compared with what libtorch's allocators give out: the estimate, and leaks.

use std::cell::RefCell;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tch::{Device, Kind, Tensor};

use super::{CycleGan, CycleGanBuilder};
use crate::dataset::{Batch, DataBunch, DatasetType, Domain, PerDomain, PrepareData};
use crate::device::{self, Precision};
use crate::error::Result;
use crate::ffi::{self, MemoryMeter, measure_memory};
use crate::nn::Upsampling;
use crate::optim::AdamOptions;
use crate::testing;
use crate::train::{BatchSizeLimit, Callback, FitOptions, Flow, StepContext, StepReport, Translator, estimate_within};

/// Returns the first `chips` of each domain.
fn prepare(folder: &Path, chips: usize, side: usize) -> PrepareData {
    for domain in ["A", "B"] {
        let into = folder.join(domain);
        std::fs::create_dir_all(&into).unwrap();
        let mut files: Vec<_> = std::fs::read_dir(format!("assets/bluemarble/{domain}/images")).unwrap().collect();
        files.sort_by_key(|file| file.as_ref().unwrap().file_name());
        for file in files.into_iter().take(chips).flatten() {
            std::fs::copy(file.path(), into.join(file.file_name())).unwrap();
        }
    }
    // Without threads, all memory is allocated on this one, where the meter sees it.
    PrepareData::new(folder, DatasetType::CycleGan).resize_to(side).workers(0).val_split_pct(0.0)
}

fn batch(side: i64, n: i64) -> Batch {
    let chips = || Tensor::zeros([n, 3, side, side], (Kind::Float, Device::Cpu)).uniform_(-1.0, 1.0);
    Batch { a: chips(), b: chips() }
}

fn builder(data: &DataBunch, features: usize, blocks: usize) -> CycleGanBuilder {
    CycleGan::builder(data).gen_features(features).gen_blocks(blocks).disc_features(16).device(device::Device::Cpu)
}

fn on_cuda(builder: CycleGanBuilder) -> Option<CycleGanBuilder> {
    let index = testing::cuda().map(|device| if let Device::Cuda(index) = device { index } else { 0 })?;
    Some(builder.device(device::Device::Cuda(index)))
}

#[derive(Debug)]
struct Case {
    features: usize,
    blocks: usize,
    batch_size: usize,
    side: usize,
    identity: f64,
    precision: Precision,
    upsampling: Upsampling,
    is_on_cuda: bool,
}

/// Measures what autograd and the kernels hold in a step, and returns the estimate of it.
fn peak_of(case: &Case) -> (f64, f64) {
    let folder = tempfile::tempdir().unwrap();
    let data = prepare(folder.path(), case.batch_size, case.side).batch_size(case.batch_size).prepare().unwrap();
    let model = builder(&data, case.features, case.blocks).pool_size(0).identity_weight(case.identity);
    let model = model.upsampling(case.upsampling);
    let model = if case.is_on_cuda { on_cuda(model).unwrap() } else { model };
    let mut model = model.build().unwrap();
    model.model.optimizers().unwrap();
    let batch = batch(case.side as i64, case.batch_size as i64);
    let context = StepContext { precision: case.precision, ..StepContext::new(1e-4, AdamOptions::default(), 0) };
    let mut step = || measure_memory(|| model.train_step(&batch, context)).unwrap().1.peak as f64;
    let peak = step().max(step());
    (peak, model.memory_need(&data, case.precision, 1).unwrap().activations as f64)
}

#[test]
fn the_estimate_is_within_20_percent_of_the_measured_peak() {
    let (mild, f32) = (0.5, Precision::F32);
    for (features, blocks, batch_size, side, identity, precision) in [
        (8, 9, 2, 128, mild, f32),
        (16, 2, 1, 64, mild, f32),
        (32, 2, 4, 64, mild, f32),
        (16, 3, 2, 96, 0.0, f32),
        (8, 1, 16, 64, mild, f32),
        (64, 1, 1, 32, mild, f32),
        // The same as f32 on a CPU without AMX.
        (8, 1, 2, 64, mild, Precision::Bf16),
        (16, 3, 1, 96, mild, Precision::Bf16),
        (8, 9, 2, 128, mild, Precision::Bf16),
    ] {
        let upsampling = Upsampling::Transposed;
        let case = Case { features, blocks, batch_size, side, identity, precision, upsampling, is_on_cuda: false };
        let (peak, estimate) = peak_of(&case);
        let ratio = estimate / peak;
        testing::tell(&format!("{case:?}: {ratio}"));
        assert!((0.8..1.2).contains(&ratio), "{case:?}: {ratio}");
    }
}

#[test]
fn the_estimate_counts_what_resize_convolutions_keep() {
    let (precision, upsampling) = (Precision::F32, Upsampling::Resize);
    for (features, blocks, batch_size, side) in [(16, 2, 1, 64), (8, 6, 2, 96)] {
        let case = Case { features, blocks, batch_size, side, identity: 0.5, precision, upsampling, is_on_cuda: false };
        let (peak, estimate) = peak_of(&case);
        assert!((0.8..1.2).contains(&(estimate / peak)), "{case:?}: {}", estimate / peak);
    }
}

/// On the CPU, for which their kernels are compiled.
#[test]
#[cfg(target_os = "linux")]
fn the_estimate_counts_what_the_emulated_layers_keep() {
    let (identity, precision, upsampling) = (0.5, Precision::F32, Upsampling::Transposed);
    for (features, blocks, batch_size, side) in [(32, 2, 1, 64), (16, 3, 2, 96), (8, 9, 2, 128)] {
        let case = Case { features, blocks, batch_size, side, identity, precision, upsampling, is_on_cuda: false };
        let (peak, estimate) = ffi::emulate_cuda(|| peak_of(&case));
        let ratio = estimate / peak;
        testing::tell(&format!("{case:?}: {peak:.3e} bytes measured, {ratio:.2} of it estimated"));
        assert!((0.8..1.2).contains(&ratio), "{case:?}: {ratio}");
    }
}

/// Includes the first step, in which kernels are chosen. cuDNN's kernels choose their own scratch memory, so the
/// tolerance is wider than on the CPU.
#[test]
fn the_estimate_is_near_the_measured_peak_on_cuda() {
    if testing::cuda().is_none() {
        return;
    }
    let mut ratios = Vec::new();
    for (batch_size, precision) in
        [(1, Precision::F32), (1, Precision::Tf32), (4, Precision::Tf32), (1, Precision::Bf16), (4, Precision::Bf16)]
    {
        let upsampling = Upsampling::Transposed;
        let case = Case {
            features: 64,
            blocks: 9,
            batch_size,
            side: 256,
            identity: 0.5,
            precision,
            upsampling,
            is_on_cuda: true,
        };
        let (peak, estimate) = peak_of(&case);
        let ratio = estimate / peak;
        testing::tell(&format!(
            "step, batch {batch_size}, {precision}: {peak:.3e} bytes measured, {estimate:.3e} estimated, {ratio:.2} of it"
        ));
        ratios.push((case, ratio));
    }
    for (case, ratio) in ratios {
        assert!((0.7..1.5).contains(&ratio), "{case:?}: {ratio}");
    }
}

thread_local! {
    /// A meter stays on its thread, and a callback must be able to leave it.
    static METER: RefCell<Option<MemoryMeter>> = const { RefCell::new(None) };
}

/// Live bytes after each step.
#[derive(Clone, Default)]
struct Live(Arc<Mutex<Vec<i64>>>);

impl Live {
    fn begin() -> Self {
        METER.set(Some(MemoryMeter::begin().unwrap()));
        Self::default()
    }

    /// Ends the count and returns the readings.
    fn end(self) -> Vec<i64> {
        METER.take();
        self.0.lock().unwrap().clone()
    }
}

impl Callback for Live {
    fn on_step(&mut self, _: &StepReport<'_>) -> Result<Flow> {
        let count = METER.with_borrow(|meter| meter.as_ref().map(MemoryMeter::read)).transpose()?;
        self.0.lock().unwrap().extend(count.map(|count| count.live));
        Ok(Flow::Continue)
    }
}

/// The two moments of each weight are allocated when training starts; the rest is small tensors.
#[test]
fn an_untrained_model_holds_only_its_weights() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepare(folder.path(), 2, 24).prepare().unwrap();
    let meter = MemoryMeter::begin().unwrap();
    let mut model = builder(&data, 16, 2).build().unwrap();
    let weights = model.config().parameter_count(PerDomain { a: 3, b: 3 }) as f64 * 4.0;
    let held = |meter: &MemoryMeter| meter.read().unwrap().live as f64 / weights;
    let before = held(&meter);
    model.fit(FitOptions::new(1).progress(false)).unwrap();
    let after = held(&meter);
    assert!((1.0..1.1).contains(&before) && (3.0..3.5).contains(&after), "{before} and {after} times the weights");
}

/// One generator of the four networks, and no training state.
#[test]
fn a_predictor_holds_one_generator() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepare(folder.path(), 2, 24).prepare().unwrap();
    let model = builder(&data, 16, 2).build().unwrap();
    let saved = model.save(folder.path().join("model")).unwrap();
    let generator = model.config().generator_parameter_count(PerDomain { a: 3, b: 3 }) as f64 / 2.0 * 4.0;
    let meter = MemoryMeter::begin().unwrap();
    let predictor = CycleGan::open_predictor(&saved, Domain::A, device::Device::Cpu).unwrap();
    let held = meter.read().unwrap().live as f64 / generator;
    assert!((1.0..1.01).contains(&held), "{held} times the weights of a generator");
    drop(predictor);
    assert_eq!(meter.read().unwrap().live, 0);
}

/// Pools of 3 images are full after 3 steps; an epoch has 2.
#[test]
fn training_holds_as_much_after_360_steps_as_after_60() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepare(folder.path(), 2, 24).prepare().unwrap();
    // The meter is dropped before the model, so that it sees everything that the steps free.
    let live = Live::begin();
    let mut model = builder(&data, 2, 1).disc_features(2).pool_size(3).build().unwrap();
    model.fit(FitOptions::new(180).progress(false).callback(live.clone())).unwrap();
    let live = live.end();
    assert_eq!(live.len(), 360);
    assert!(live[59] > 0);
    assert_eq!(live[359], live[59], "{live:?}");
    // Within an epoch, the batch sizes are the same, too.
    assert!(live[8..].iter().all(|&bytes| bytes == live[59]), "{live:?}");
}

/// There, losses are read at the end of an epoch, so live bytes are those after each epoch.
#[test]
fn training_holds_as_much_after_1000_steps_on_cuda() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepare(folder.path(), 2, 24).prepare().unwrap();
    let Some(builder) = on_cuda(builder(&data, 8, 1).pool_size(3)) else { return };
    let live = Live::begin();
    builder.build().unwrap().fit(FitOptions::new(500).progress(false).callback(live.clone())).unwrap();
    let live = live.end();
    assert!(live.len() >= 500 && live[99] > 0);
    assert_eq!(live[live.len() - 1], live[99], "{live:?}");
}

/// Peaks of steps with one and four chips, as given out by libtorch's allocators, predict the peak for 20. With a third
/// for scratch memory and the copy that is kept, memory for that many is sufficient for 20 according to the estimate,
/// within its 20 %.
#[test]
fn the_estimated_batch_size_fits_into_measured_memory() {
    const CHIPS: f64 = 20.0;
    let folder = tempfile::tempdir().unwrap();
    let data = prepare(folder.path(), 40, 64).prepare().unwrap();
    let mut model = builder(&data, 16, 2).pool_size(0).build().unwrap();
    model.model.optimizers().unwrap();
    let context = StepContext { precision: Precision::F32, ..StepContext::new(1e-4, AdamOptions::default(), 0) };
    let [one, four] = [1, 4].map(|chips| {
        let batch = batch(64, chips);
        let mut step = || measure_memory(|| model.train_step(&batch, context)).unwrap().1.peak as f64;
        step().max(step())
    });
    let step = one + (CHIPS - 1.0) * (four - one) / 3.0;
    let kept: f64 = model.state().tensors.iter().map(|(_, tensor)| 4.0 * tensor.numel() as f64).sum();
    let free = (step * 4.0 / 3.0 + kept) as u64;
    let found = estimate_within(&model, &data, &|_| Some(free)).unwrap();
    assert!((16..=25).contains(&found.max), "{found}, where {CHIPS} were measured");
    assert_eq!(found.limit, BatchSizeLimit::Memory);
    assert!(found.recommended.is_power_of_two() && found.recommended <= found.max);
    assert_eq!(model.estimate_batch_size().unwrap().limit, BatchSizeLimit::Chips);
}
