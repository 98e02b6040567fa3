//! Measures the time from process start to the first translation by a saved model, here and in Python.
//!
//! Run `cargo bench --bench startup`. If `GEOLEARN_PEERS_PYTHON` (or `GEOLEARN_TEST_PYTHON`) names a Python with torch
//! and Pillow, the same weights translate the same chip there, interleaved, and the ratio of the times is printed.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench that cannot run should say so at once")]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group};
use geolearn::CycleGan;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/models/sat2relief");
const CHIPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/bluemarble/A/images");
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/startup.py");
/// Set in the timed child process.
const CHILD: &str = "GEOLEARN_BENCH_STARTUP";
const TURNS: usize = 9;

fn startup(c: &mut Criterion) {
    let mut group = c.benchmark_group("startup");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    let chip = first_chip();
    group.bench_function("first_translation", |b| b.iter(|| seconds(ours().env(CHILD, &chip))));
    group.finish();
    let python = ["GEOLEARN_PEERS_PYTHON", "GEOLEARN_TEST_PYTHON"].into_iter().find_map(std::env::var_os);
    let Some(python) = python else { return };
    let mut ratios = Vec::new();
    for _ in 0..TURNS {
        let mine = seconds(ours().env(CHILD, &chip));
        let theirs = seconds(Command::new(&python).arg(PEER).arg(MODEL).arg(&chip));
        ratios.push((mine / theirs, mine, theirs));
    }
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (ratio, mine, theirs) = ratios[TURNS / 2];
    let (least, most) = (ratios[0].0, ratios[TURNS - 1].0);
    println!("start-up ratio {ratio:.2} (min {least:.2} max {most:.2}): {mine:.2} s, PyTorch {theirs:.2} s");
}

fn ours() -> Command {
    Command::new(std::env::current_exe().expect("this program"))
}

fn first_chip() -> std::path::PathBuf {
    let mut chips: Vec<_> = std::fs::read_dir(CHIPS).expect("bundled chips").flatten().map(|e| e.path()).collect();
    chips.sort();
    chips.swap_remove(0)
}

fn seconds(command: &mut Command) -> f64 {
    let begin = Instant::now();
    let output = command.output().expect("a program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    begin.elapsed().as_secs_f64()
}

fn translate(chip: &Path) {
    let model = CycleGan::from_model(MODEL, None).expect("the bundled model");
    let made = model.predict_a2b(chip).expect("a translation");
    let folder = tempfile::tempdir().expect("a folder");
    made.save(folder.path().join("made.png")).expect("a picture");
}

criterion_group!(benches, startup);

fn main() {
    match std::env::var_os(CHILD) {
        Some(chip) => translate(Path::new(&chip)),
        None => {
            benches();
            Criterion::default().configure_from_args().final_summary();
        }
    }
}
