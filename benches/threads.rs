//! Measures training and translation with the number of threads that the crate chooses, against fixed numbers and other
//! wait policies, on an idle machine and alongside a busy program.
//!
//! Run `cargo bench --bench threads [-- WORK]` on an idle machine; it takes a quarter of an hour on two cores. Each
//! figure is measured in a new process, since libtorch's threads keep the wait policy they start with. The columns are
//! seconds, and the ratio to the fastest of the others.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench that cannot run should say so at once")]

use std::process::{Child, Command};
use std::time::Instant;

use geolearn::ndarray::Array3;
use geolearn::train::{Callback, Flow, StepReport};
use geolearn::{CycleGan, DatasetType, Domain, FitOptions, PrepareData};

const CHIPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/bluemarble");
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/models/sat2relief");
/// Set in timed child processes, and in the busy one.
const CHILD: &str = "GEOLEARN_BENCH_THREADS";
const BUSY: &str = "busy";
/// The work that is timed: the demo's network on 64-pixel chips (an epoch) and 256-pixel chips (part of one), and
/// translations of two sizes.
const WORKS: [&str; 4] = ["train_64", "train_256", "translate_64", "translate_512"];

/// Names and environments of the configurations; the first is the crate's default.
const WAYS: [(&str, &[(&str, &str)]); 5] = [
    ("found", &[]),
    ("one thread", &[("OMP_NUM_THREADS", "1")]),
    ("all, spinning", &[("GEOLEARN_BENCH_FIXED", "1")]),
    ("all, passive", &[("GEOLEARN_BENCH_FIXED", "1"), ("OMP_WAIT_POLICY", "passive")]),
    ("all, short spins", &[("GEOLEARN_BENCH_FIXED", "1"), ("GOMP_SPINCOUNT", "1000")]),
];

fn main() {
    match std::env::var(CHILD) {
        Ok(work) if work == BUSY => loop {
            std::hint::spin_loop();
        },
        Ok(work) => println!("{}", seconds_of(&work)),
        Err(_) => compare(),
    }
}

fn compare() {
    let wanted = std::env::args().nth(1).filter(|name| WORKS.contains(&name.as_str()));
    for work in WORKS.into_iter().filter(|work| wanted.as_deref().is_none_or(|name| name == *work)) {
        for busy in [false, true] {
            let _busy = busy.then(BusyProgram::begin);
            let times = WAYS.map(|(_, environment)| time(work, environment));
            let least = times[1..].iter().copied().fold(f64::INFINITY, f64::min);
            println!("{work}, {}", if busy { "alongside a busy program" } else { "idle" });
            for ((name, _), seconds) in WAYS.iter().zip(times) {
                println!("  {name:<17} {seconds:7.2} s  {:5.2}", seconds / least);
            }
        }
    }
}

fn ours(work: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(CHILD, work);
    command
}

fn time(work: &str, environment: &[(&str, &str)]) -> f64 {
    let output = ours(work).envs(environment.iter().copied()).output().expect("a program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("seconds")
}

/// A program that keeps one core busy.
struct BusyProgram(Child);

impl BusyProgram {
    fn begin() -> Self {
        Self(ours(BUSY).spawn().expect("a program"))
    }
}

impl Drop for BusyProgram {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn seconds_of(work: &str) -> f64 {
    if std::env::var_os("GEOLEARN_BENCH_FIXED").is_some() {
        geolearn::runtime::set_num_threads(geolearn::runtime::num_threads()).expect("the number that it is");
    }
    match work {
        "train_64" => training(64, 240),
        "train_256" => training(256, 32),
        "translate_64" => translation(64, 600),
        _ => translation(512, 32),
    }
}

fn training(side: usize, steps: usize) -> f64 {
    let data = PrepareData::new(CHIPS, DatasetType::CycleGan).resize_to(side).val_split_pct(0.0).progress(false);
    let data = data.prepare().expect("bundled chips");
    let builder = CycleGan::builder(&data).gen_blocks(3).gen_features(16).disc_features(16);
    let mut model = builder.build().expect("a model");
    let begin = Instant::now();
    model.fit(FitOptions::new(100).progress(false).callback(StopAfter(steps))).expect("a training");
    begin.elapsed().as_secs_f64()
}

/// Stops a fit after this many steps.
struct StopAfter(usize);

impl Callback for StopAfter {
    fn on_step(&mut self, report: &StepReport<'_>) -> geolearn::Result<Flow> {
        Ok(if report.steps < self.0 { Flow::Continue } else { Flow::Stop })
    }
}

fn translation(side: usize, times: usize) -> f64 {
    let model = CycleGan::from_model(MODEL, None).expect("the bundled model");
    let image = Array3::from_shape_fn((3, side, side), |(band, y, x)| ((band * 40 + y * 3 + x) % 256) as f32);
    let begin = Instant::now();
    for _ in 0..times {
        model.predict_array(&image, Domain::B).expect("a translation");
    }
    begin.elapsed().as_secs_f64()
}
