//! Benchmarks the generator's forward pass and the training step, in images per second. `cargo xtask compare` times the
//! step against PyTorch.
//!
//! Run `cargo bench` on an idle machine; with other load, set `OMP_WAIT_POLICY=passive`.
#![allow(clippy::expect_used, reason = "a bench that cannot run should say so at once")]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use geolearn::dataset::{Augment, Batch};
use geolearn::device::Precision;
use geolearn::optim::AdamOptions;
use geolearn::train::{StepContext, Translator};
use geolearn::{CycleGan, DataBunch, DatasetType, Device, Domain, PrepareData};

const CHIPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/bluemarble");

fn data(side: usize, batch_size: usize) -> DataBunch {
    PrepareData::new(Path::new(CHIPS), DatasetType::CycleGan)
        .resize_to(side)
        .batch_size(batch_size)
        .augment(Augment::none())
        .prepare()
        .expect("bundled chips")
}

fn first_batch(data: &DataBunch) -> Batch {
    data.epoch(0).expect("loader").next().expect("a batch").expect("readable chips")
}

/// Benchmarks the paper's generator (9 blocks, 64 features) on one image.
fn generator_forward(c: &mut Criterion) {
    let mut group = c.benchmark_group("generator_forward");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for side in [64, 128, 256] {
        let data = data(side, 1);
        let model = CycleGan::new(&data).expect("model");
        let chip = first_batch(&data).a;
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::new("9_blocks_batch_1", side), &chip, |b, chip| {
            // Reading a value waits for the device.
            b.iter(|| black_box(model.translate(chip, Domain::B).expect("translation").double_value(&[0, 0, 0, 0])));
        });
    }
    group.finish();
}

/// Benchmarks one step of both generators and both discriminators at the paper's sizes; an element is a pair of images.
fn training_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("training_step");
    group.sample_size(10).measurement_time(Duration::from_secs(15));
    let is_cuda = Device::Auto.resolve().expect("a device").torch().is_cuda();
    let (mut sizes, mut precisions) =
        (vec![(64, 1), (64, 4), (128, 1), (128, 4), (256, 1)], vec![Precision::F32, Precision::Bf16]);
    if is_cuda {
        sizes.push((256, 8));
        precisions.push(Precision::Tf32);
    }
    for (side, batch_size) in sizes {
        let data = data(side, batch_size);
        let batch = first_batch(&data);
        group.throughput(Throughput::Elements(batch_size as u64));
        for &precision in &precisions {
            let mut model = CycleGan::new(&data).expect("model");
            let mut context = StepContext::new(2e-4, AdamOptions::default(), 0);
            context.precision = precision;
            let id = BenchmarkId::new(format!("9_blocks_{precision}"), format!("{side}px_batch_{batch_size}"));
            group.bench_function(id, |b| {
                b.iter(|| Vec::<f32>::try_from(model.train_step(&batch, context).expect("step")).expect("losses"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, generator_forward, training_step);
criterion_main!(benches);
