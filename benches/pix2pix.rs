//! Benchmarks the training step of Pix2Pix, in pairs per second: the U-Net at arcgis.learn's size, and the ResNet
//! generator.
//!
//! Run `cargo bench --bench pix2pix` on an idle machine; with other load, set `OMP_WAIT_POLICY=passive`.
#![allow(clippy::expect_used, reason = "a bench that cannot run should say so at once")]

use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use geolearn::dataset::Augment;
use geolearn::models::pix2pix::Generator;
use geolearn::optim::AdamOptions;
use geolearn::train::{StepContext, Translator};
use geolearn::{DatasetType, Pix2Pix, PrepareData};

const PAIRS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/bluemarble_test");

/// Benchmarks one step of both networks at their default sizes; an element is a pair of images.
fn training_step(c: &mut Criterion) {
    let mut group = c.benchmark_group("pix2pix_training_step");
    group.sample_size(10).measurement_time(Duration::from_secs(15));
    for (side, batch_size) in [(64, 1), (64, 4), (256, 1)] {
        let data = PrepareData::new(Path::new(PAIRS), DatasetType::Pix2Pix).resize_to(side).batch_size(batch_size);
        let data = data.augment(Augment::none()).prepare().expect("bundled pairs");
        let batch = data.epoch(0).expect("loader").next().expect("a batch").expect("readable chips");
        group.throughput(Throughput::Elements(batch_size as u64));
        let levels = if side < 256 { 6 } else { 8 };
        for (name, generator) in [("unet", Generator::Unet), ("resnet", Generator::Resnet)] {
            let builder = Pix2Pix::builder(&data).generator(generator).gen_levels(levels);
            let mut model = builder.build().expect("model");
            let context = StepContext::new(2e-4, AdamOptions::default(), 0);
            let id = BenchmarkId::new(name, format!("{side}px_batch_{batch_size}"));
            group.bench_function(id, |b| {
                b.iter(|| Vec::<f32>::try_from(model.train_step(&batch, context).expect("step")).expect("losses"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, training_step);
criterion_main!(benches);
