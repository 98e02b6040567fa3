//! Benchmarks loading in one thread, in chips per second by format: reading, decoding, scaling and batching; and
//! windows of scenes of the same number and size.
//!
//! Run `cargo bench --bench loader`; `cargo xtask compare-loader` compares it with other loaders.
#![allow(clippy::expect_used, reason = "a bench that cannot run should say so at once")]

// The same chips as in the comparison.
#[path = "../examples/loader/chips.rs"]
mod chips;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use geolearn::dataset::Augment;
use geolearn::raster::{Blocks, Compression, Dtype, RasterSpec, RasterWriter, Samples};
use geolearn::{DatasetType, Domain, PrepareData, Raster};
use ndarray::{Array3, Axis, concatenate};

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

/// Joins the chips of a folder to scenes of 8 x 8 chips, as deflate-compressed tiles and strips, and draws windows from
/// them.
fn scenes(c: &mut Criterion) {
    let made = tempfile::tempdir().expect("a folder");
    chips::make(&Path::new(ASSETS).join("bluemarble"), made.path()).expect("chips");
    let mut group = c.benchmark_group("scenes");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    let chips = made.path().join("tif");
    let on_disk = PrepareData::new(&chips, DatasetType::CycleGan).val_split_pct(0.0);
    let layouts = [
        ("tiles_256px", Blocks::Tiles { width: 256, height: 256 }),
        ("tiles_512px", Blocks::Tiles { width: 512, height: 512 }),
        ("strips", Blocks::Strips { rows: 8 }),
    ];
    let drawn = layouts.map(|(name, blocks)| {
        let scene = |domain: &str| {
            scene(&chips.join(domain).join("images"), &made.path().join(format!("{name}_{domain}.tif")), blocks)
        };
        let options = PrepareData::new(made.path(), DatasetType::CycleGan);
        let options = options.scenes(Domain::A, [scene("A")]).scenes(Domain::B, [scene("B")]);
        (name, options.windows_per_epoch(64).val_split_pct(0.0))
    });
    for (name, options) in [("chips", on_disk)].into_iter().chain(drawn) {
        let options = options.batch_size(8).workers(0).cache(false).augment(Augment::none());
        let data = options.prepare().expect("images");
        group.throughput(Throughput::Elements(2 * data.len(Domain::A) as u64));
        // Each round draws new windows, as fits do.
        let mut epochs = 0..;
        group.bench_function(BenchmarkId::new("tiff_deflate_rgb_256px", name), |b| {
            b.iter(|| {
                let epoch = epochs.next().expect("an epoch");
                data.epoch(epoch).expect("loader").for_each(|batch| drop(black_box(batch.expect("batch"))));
            });
        });
    }
    group.finish();
}

/// Joins 64 chips to a scene.
fn scene(chips: &Path, path: &Path, blocks: Blocks) -> PathBuf {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(chips).expect("chips").map(|file| file.expect("a chip").path()).collect();
    files.sort();
    let spec = RasterSpec::new(3, 2048, 2048, Dtype::U8).blocks(blocks).compression(Compression::Deflate);
    let mut writer = RasterWriter::create(path, spec).expect("a scene");
    for row in files.chunks(8) {
        let row: Vec<Array3<u8>> =
            row.iter().map(|file| Array3::try_from(Raster::open(file).expect("a chip")).expect("bytes")).collect();
        let views: Vec<_> = row.iter().map(|chip| chip.view()).collect();
        writer.write_rows(&Samples::U8(concatenate(Axis(2), &views).expect("a row"))).expect("rows");
    }
    writer.finish().expect("a scene");
    path.to_path_buf()
}

criterion_group!(benches, loader, scenes);
criterion_main!(benches);
