//! Chips a second in one thread, by format: read, decoded, scaled and put into batches.
//!
//! `cargo bench --bench loader`; `cargo xtask compare-loader` puts other loaders beside it.
#![allow(clippy::expect_used, reason = "a bench that cannot run should say so at once")]

// The same chips as in the comparison.
#[path = "../examples/loader/chips.rs"]
mod chips;

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use geolearn::dataset::Augment;
use geolearn::{DatasetType, Domain, PrepareData};

const ASSETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");

fn loader(c: &mut Criterion) {
    let made = tempfile::tempdir().expect("a folder");
    chips::make(&Path::new(ASSETS).join("bluemarble"), made.path()).expect("chips");
    let folders = [
        ("png_rgb_256px", made.path().join("png")),
        ("jpeg_rgb_256px", made.path().join("jpg")),
        ("tiff_deflate_rgb_256px", made.path().join("tif")),
        ("tiff_deflate_u16_64px", Path::new(ASSETS).join("multispectral")),
    ];
    let mut group = c.benchmark_group("loader");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    for (name, folder) in folders {
        for (varied, augment) in [("plain", Augment::none()), ("augmented", Augment::default())] {
            let options = PrepareData::new(&folder, DatasetType::CycleGan).batch_size(8).workers(0).cache(false);
            let data = options.augment(augment).prepare().expect("chips");
            let chips = 2 * data.len(Domain::A).max(data.len(Domain::B));
            group.throughput(Throughput::Elements(chips as u64));
            group.bench_function(BenchmarkId::new(name, varied), |b| {
                b.iter(|| data.epoch(0).expect("loader").for_each(|batch| drop(black_box(batch.expect("batch")))));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, loader);
criterion_main!(benches);
