//! Chips per second of a fit by 1, 2 and 4 processes, against one process with as many threads, and the time in collectives.
//!
//! `cargo bench --bench distributed [-- SIDE]` on an otherwise idle machine; SIDE is that of the chips in pixels, by default 256. Each
//! row starts processes of its own. Rows with more threads than the machine has cores say so.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a bench that cannot run should say so at once")]

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use geolearn::distributed::Distributed;
use geolearn::train::{Callback, Flow, StepReport};
use geolearn::{CycleGan, DatasetType, Device, FitOptions, PrepareData, Result};

const CHIPS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/bluemarble");
/// Set in timed child processes: the side of the chips, and the chips per step.
const CHILD: &str = "GEOLEARN_BENCH_DISTRIBUTED";
/// Steps before timing starts.
const FIRST_STEPS: usize = 5;
const STEPS: usize = 25;
/// Number of processes, threads per process, and chips per process and step. Rows with the same number of chips per
/// step make the same fit.
const ROWS: [(usize, usize, usize); 6] = [(1, 1, 1), (2, 1, 1), (1, 1, 2), (1, 2, 2), (4, 1, 1), (1, 4, 4)];

fn main() {
    match std::env::var(CHILD) {
        Ok(work) => train(&work),
        Err(_) => compare(),
    }
}

fn compare() {
    let side: usize = std::env::args().nth(1).and_then(|side| side.parse().ok()).unwrap_or(256);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!("chips of {side} pixels, {cores} cores");
    println!("processes  threads  chips a step   chips/s  times the first  in collectives");
    let mut first = None;
    for (processes, threads, size) in ROWS {
        let [rate, share] = measure((processes, threads, size), side);
        let times = rate / *first.get_or_insert(rate);
        println!(
            "{processes:9}  {threads:7}  {:12}  {rate:8.2}  {times:15.2}  {:12.1} %{}",
            processes * size,
            share * 100.0,
            if processes * threads > cores { "  more threads than cores" } else { "" }
        );
    }
}

/// Returns chips per second, and the share of the time that was spent in collectives.
fn measure((processes, threads, size): (usize, usize, usize), side: usize) -> [f64; 2] {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|door| door.local_addr()).expect("a free port").port();
    let start = |rank: usize| -> Child {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let numbers = [("RANK", rank), ("LOCAL_RANK", rank), ("WORLD_SIZE", processes), ("OMP_NUM_THREADS", threads)];
        command.envs(numbers.map(|(name, number)| (name, number.to_string())));
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port.to_string());
        command.env(CHILD, format!("{side} {size}")).stdout(Stdio::piped()).spawn().expect("a process")
    };
    let children: Vec<Child> = (0..processes).map(start).collect();
    let outputs = children.into_iter().map(|child| child.wait_with_output().expect("its end"));
    let texts: Vec<String> = outputs.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).collect();
    let numbers: Vec<f64> = texts[0].split_whitespace().map(|word| word.parse().expect("a number")).collect();
    [numbers[0] * (processes * size) as f64, numbers[1]]
}

/// Trains in one of the processes; rank 0 prints steps per second and its share of time in collectives.
fn train(work: &str) {
    let numbers: Vec<usize> = work.split(' ').map(|word| word.parse().expect("a number")).collect();
    let group = Distributed::from_env().expect("the other processes");
    let data = PrepareData::new(CHIPS, DatasetType::CycleGan).resize_to(numbers[0]).batch_size(numbers[1]);
    let data = data.prepare().expect("chips");
    let model = CycleGan::builder(&data).gen_blocks(3).gen_features(16).disc_features(16).device(Device::Cpu);
    let times = Arc::new(Mutex::new(Vec::new()));
    let clock = Clock { group: group.clone(), times: times.clone() };
    let options = FitOptions::new(1000).progress(false).validate_every(0).distributed(group.clone()).callback(clock);
    model.build().expect("a model").fit(options).expect("a fit");
    if group.is_main() {
        let times = times.lock().unwrap_or_else(PoisonError::into_inner);
        let ((begin, spent_before), (end, spent)) = (times[FIRST_STEPS - 1], times[STEPS + FIRST_STEPS - 1]);
        let seconds = (end - begin).as_secs_f64();
        println!("{} {}", STEPS as f64 / seconds, (spent - spent_before).as_secs_f64() / seconds);
    }
}

/// Records when each step ended, and the time in collectives until then.
struct Clock {
    group: Distributed,
    times: Arc<Mutex<Vec<(Instant, Duration)>>>,
}

impl Callback for Clock {
    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        let now = (Instant::now(), self.group.time_in_collectives());
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push(now);
        Ok(if report.steps >= STEPS + FIRST_STEPS { Flow::Stop } else { Flow::Continue })
    }
}
