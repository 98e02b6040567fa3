//! Benchmarks `predict_raster` for each kind of norm statistics: megapixels per second, and the shares of reading,
//! network and writing.
//!
//! Run `cargo bench --bench raster`. If `GEOLEARN_ARCGIS_PYTHON` names a Python with arcgis.learn 2.4.4, its algorithm
//! translates the same scene with the same weights and the same number of threads (`OMP_NUM_THREADS`), interleaved with
//! ours, and the ratio of the times is printed.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench that cannot run should say so at once")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use geolearn::inference::{NormStatistics, RasterReport};
use geolearn::raster::{Dtype, RasterSpec, RasterWriter, Samples};
use geolearn::{CycleGan, Domain, Raster, RasterOptions};
use ndarray::Axis;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const SCENE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/scenes/bluemarble_asia.tif");
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/models/sat2relief");
/// More than the network takes at once by default.
const HEIGHT: usize = 1536;
const WIDTH: usize = 1536;
const TURNS: usize = 3;

fn raster(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let (scene, output) = (folder.path().join("scene.tif"), folder.path().join("out.tif"));
    write_scene(&scene);
    let model = CycleGan::from_model(MODEL, None).expect("the bundled model");
    let translate = |options: &RasterOptions| model.predict_raster(&scene, &output, options.clone()).expect("a scene");
    let mut group = c.benchmark_group("raster");
    group.sample_size(10).throughput(Throughput::Elements(pixels()));
    for (name, options) in ways() {
        println!("{name}: {}", shares(&translate(&options)));
        group.bench_function(name, |b| b.iter(|| translate(&options)));
    }
    group.finish();
    if let Some(python) = std::env::var_os("GEOLEARN_ARCGIS_PYTHON") {
        beside_arcgis(Peer::start(Path::new(&python), &scene), &translate);
    }
}

fn ways() -> Vec<(&'static str, RasterOptions)> {
    let with = |statistics| RasterOptions::new(Domain::B).statistics(statistics).progress(false);
    vec![
        ("scene", with(NormStatistics::Scene)),
        ("local", with(NormStatistics::Local { spacing: None })),
        ("tile_as_arcgis", with(NormStatistics::Tile { padding: None })),
    ]
}

fn pixels() -> u64 {
    (HEIGHT * WIDTH) as u64
}

fn shares(report: &RasterReport) -> String {
    let share = |time: Duration| 100.0 * time.as_secs_f64() / report.time().as_secs_f64();
    format!(
        "{:.2} MP/s, {:.2} pixels through the network per output pixel; reading {:.0} %, network {:.0} %, writing {:.0} %",
        report.megapixels_per_second(),
        report.network_pixels() as f64 / report.pixels() as f64,
        share(report.read_time()),
        share(report.network_time()),
        share(report.write_time()),
    )
}

/// Repeats the bundled scene, mirrored at its sides.
fn write_scene(path: &Path) {
    let Samples::U8(scene) = Raster::open(SCENE).expect("the bundled scene").into_samples() else {
        unreachable!("the bundled scene has 8-bit samples")
    };
    let mirrored = |length: usize, period: usize| -> Vec<usize> {
        let fold = |i: usize| if (i / period).is_multiple_of(2) { i % period } else { period - 1 - i % period };
        (0..length).map(fold).collect()
    };
    let rows = mirrored(HEIGHT, scene.len_of(Axis(1)));
    let columns = mirrored(WIDTH, scene.len_of(Axis(2)));
    let large = scene.select(Axis(1), &rows).select(Axis(2), &columns);
    let mut writer = RasterWriter::create(path, RasterSpec::new(3, HEIGHT, WIDTH, Dtype::U8)).expect("a scene");
    writer.write_rows(&Samples::U8(large)).expect("rows");
    writer.finish().expect("a scene");
}

/// Interleaves both, so that other load affects both alike.
fn beside_arcgis(mut peer: Peer, translate: &dyn Fn(&RasterOptions) -> RasterReport) {
    let ways = ways();
    let mut times = vec![Vec::new(); ways.len() + 1];
    for _ in 0..TURNS {
        for (times, (_, options)) in times.iter_mut().zip(&ways) {
            times.push(translate(options).time().as_secs_f64());
        }
        times[ways.len()].push(peer.translate());
    }
    let theirs = &times[ways.len()];
    println!("arcgis.learn's algorithm: {:.2} MP/s", pixels() as f64 / 1e6 / median(theirs));
    for ((name, _), ours) in ways.iter().zip(&times) {
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let most = ratios.iter().copied().fold(0.0, f64::max);
        println!("{name} time ratio {:.3} (min {least:.3} max {most:.3})", median(&ratios));
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// A process that translates the scene once for each line of input, and answers with a line.
struct Peer {
    _process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(python: &Path, scene: &Path) -> Self {
        let mut process = Command::new(python)
            .args([format!("{ROOT}/benches/peers/raster_arcgis.py"), ROOT.to_string()])
            .arg(scene)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python");
        let input = process.stdin.take().expect("a pipe");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut peer = Self { _process: process, input, output };
        peer.wait_for("ready");
        peer
    }

    /// Returns the seconds of one translation.
    fn translate(&mut self) -> f64 {
        let start = Instant::now();
        writeln!(self.input, "go").expect("a peer that listens");
        self.wait_for("done");
        start.elapsed().as_secs_f64()
    }

    fn wait_for(&mut self, word: &str) {
        let mut line = String::new();
        while line.trim() != word {
            line.clear();
            assert!(self.output.read_line(&mut line).expect("a peer that speaks") > 0, "the peer ended");
        }
    }
}

criterion_group!(benches, raster);
criterion_main!(benches);
