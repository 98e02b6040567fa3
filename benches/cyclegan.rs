//! Generator forward and training step, in images per second. `cargo xtask compare` puts PyTorch beside the step.
//!
//! `cargo bench` on an otherwise idle machine; `OMP_WAIT_POLICY=passive` where others share it.
#![allow(clippy::expect_used, reason = "a bench that cannot run should say so at once")]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use geolearn::{
    AdamOptions, Augment, Batch, CycleGan, DataBunch, DatasetType, Domain, Precision, PrepareData, StepContext,
    Translator,
};

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

/// The paper's generator (9 blocks, 64 features) on one image.
fn generator_forward(c: &mut Criterion) {
    let mut group = c.benchmark_group("generator_forward");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for side in [64, 128, 256] {
        let data = data(side, 1);
        let model = CycleGan::new(&data).expect("model");
        let chip = first_batch(&data).a;
        group.throughput(Throughput::Elements(1));
        group.bench_with_input(BenchmarkId::new("9_blocks_batch_1", side), &chip, |b, chip| {
            b.iter(|| black_box(model.translate(chip, Domain::B).expect("translation")));
        });
    }
    group.finish();
}

/// One step of both generators and both discriminators, the paper's sizes; an element is a pair of images.
fn training_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("training_step");
    group.sample_size(10).measurement_time(Duration::from_secs(15));
    for (side, batch_size) in [(64, 1), (64, 4), (128, 1), (128, 4), (256, 1)] {
        let data = data(side, batch_size);
        let batch = first_batch(&data);
        group.throughput(Throughput::Elements(batch_size as u64));
        for (name, precision) in [("f32", Precision::F32), ("bf16", Precision::Bf16)] {
            let mut model = CycleGan::new(&data).expect("model");
            let mut context = StepContext::new(2e-4, AdamOptions::default(), 0);
            context.precision = precision;
            let id = BenchmarkId::new(format!("9_blocks_{name}"), format!("{side}px_batch_{batch_size}"));
            group.bench_function(id, |b| {
                b.iter(|| Vec::<f32>::try_from(model.train_step(&batch, context).expect("step")).expect("losses"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, generator_forward, training_step);
criterion_main!(benches);
