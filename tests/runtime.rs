//! Tests what the crate changes in its process, and that a program can decline it.
//!
//! This is a program without the test harness: each case is a separate process, whose `main` runs in its only thread.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of a test")]

use std::process::Command;
use std::sync::{Arc, Mutex};

use geolearn::dataset::BatchSize;
use geolearn::runtime::num_threads;
use geolearn::runtime::{self, RuntimeOptions};
use geolearn::train::{Callback, Flow, StepReport};
use geolearn::{CycleGan, DataBunch, DatasetType, Device, ErrorKind, FitOptions, PrepareData, tch};

const LIMITS: [&str; 2] = ["ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY"];
/// Names the case of a child.
const CASE: &str = "GEOLEARN_TEST_RUNTIME";
/// A case: its name, its function, and its environment variables.
type Case = (&'static str, fn(), &'static [(&'static str, &'static str)]);

const CASES: &[Case] = &[
    ("nothing_happens_before_main", nothing_happens_before_main, &[]),
    ("first_use_limits_the_caches", first_use_limits_the_caches, &[]),
    ("preparing_data_is_a_first_use", preparing_data_is_a_first_use, &[]),
    (
        "numbers_set_by_the_user_are_kept",
        numbers_set_by_the_user_are_kept,
        &[("DNNL_PRIMITIVE_CACHE_CAPACITY", "7"), (LIMITS[1], "9")],
    ),
    ("the_environment_is_left_alone_beside_threads", the_environment_is_left_alone_beside_threads, &[]),
    ("declined_changes_do_not_happen", declined_changes_do_not_happen, &[]),
    ("the_number_of_threads_can_be_left", the_number_of_threads_can_be_left, &[]),
    ("set_up_comes_first_and_once", set_up_comes_first_and_once, &[]),
    ("memory_of_training_is_kept", memory_of_training_is_kept, &[]),
    ("memory_of_training_is_kept_on_demand_only", memory_of_training_is_kept_on_demand_only, &[]),
];
/// Size of a tensor in bytes, too large to go unnoticed.
const LARGE: i64 = 256 << 20;
/// libtorch's warning about a block that was allocated before memory was counted.
const WARNING: &str = "before the profiling started";

fn main() {
    let asked = std::env::var(CASE).ok();
    match asked.as_deref() {
        Some("quiet") => return batch_sizes_are_tried(RuntimeOptions::new()),
        Some("loud") => return batch_sizes_are_tried(RuntimeOptions::new().quiet_trials(false)),
        _ => {}
    }
    if let Some((_, run, _)) = CASES.iter().find(|(name, ..)| asked.as_deref() == Some(*name)) {
        return run();
    }
    if std::env::args().any(|argument| argument == "--list" || argument == "--ignored") {
        return;
    }
    for (name, _, environment) in CASES {
        said(name, environment);
    }
    assert!(!said("quiet", &[]).contains(WARNING), "the log is not silenced");
    // libtorch warns of a freed block only if its address is new, which is a matter of chance: more than half of these
    // processes warn, and more than nine tenths on an idle machine.
    let warns = (0..20).any(|_| said("loud", &[]).contains(WARNING));
    assert!(warns, "the log is silenced, or libtorch has nothing to warn of");
}

/// Runs a case in a child process and returns its standard error.
fn said(name: &str, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for variable in [LIMITS[0], LIMITS[1], "DNNL_PRIMITIVE_CACHE_CAPACITY", "OMP_NUM_THREADS"] {
        command.env_remove(variable);
    }
    let output = command.env(CASE, name).envs(environment.iter().copied()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{name}: {text}");
    text
}

fn limits() -> [Option<String>; 2] {
    LIMITS.map(|name| std::env::var(name).ok())
}

const SET: fn() -> [Option<String>; 2] = || [Some("128".into()), Some("128".into())];

/// Returns whether the dynamic loader has mapped libtorch's CUDA library.
fn cuda_is_loaded() -> bool {
    std::fs::read_to_string("/proc/self/maps").is_ok_and(|maps| maps.contains("libtorch_cuda.so"))
}

fn data(batch_size: BatchSize) -> DataBunch {
    let options = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).resize_to(24);
    options.batch_size(batch_size).prepare().unwrap()
}

fn model(batch_size: BatchSize) -> CycleGan {
    let data = data(batch_size);
    let small = CycleGan::builder(&data).gen_blocks(1).gen_features(2).disc_features(2);
    small.device(Device::Cpu).build().unwrap()
}

fn nothing_happens_before_main() {
    assert_eq!(limits(), [None, None]);
    assert!(!cuda_is_loaded());
}

fn first_use_limits_the_caches() {
    Device::Cpu.resolve().unwrap();
    assert_eq!(limits(), if cfg!(target_os = "linux") { SET() } else { [None, None] });
}

fn preparing_data_is_a_first_use() {
    data(BatchSize::Fixed(1));
    assert_eq!(limits(), if cfg!(target_os = "linux") { SET() } else { [None, None] });
    assert!(!cuda_is_loaded(), "no device was asked for");
}

fn numbers_set_by_the_user_are_kept() {
    runtime::init(RuntimeOptions::new()).unwrap();
    assert_eq!(limits(), [None, Some("9".into())]);
    assert_eq!(std::env::var("DNNL_PRIMITIVE_CACHE_CAPACITY").unwrap(), "7");
}

fn the_environment_is_left_alone_beside_threads() {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || ended.recv());
    runtime::init(RuntimeOptions::new()).unwrap();
    assert_eq!(limits(), [None, None]);
    drop(end);
    assert!(other.join().unwrap().is_err());
    // The settings are final.
    Device::Cpu.resolve().unwrap();
    assert_eq!(limits(), [None, None]);
}

fn declined_changes_do_not_happen() {
    let threads = tch::get_num_threads();
    let options = RuntimeOptions::new().load_cuda(false).keep_training_memory(false).settle_threads(false);
    runtime::init(options.limit_caches(false).quiet_trials(false)).unwrap();
    assert_eq!(limits(), [None, None]);
    let chosen = Device::Auto.resolve().unwrap();
    assert_eq!(chosen.torch(), tch::Device::Cpu);
    assert!(chosen.reason().unwrap().contains("declined"), "{chosen}");
    let error = Device::Cuda(0).resolve().unwrap_err();
    assert!(error.kind() == ErrorKind::Device && error.to_string().contains("load_cuda"), "{error}");
    assert!(!cuda_is_loaded());
    model(BatchSize::Fixed(1)).fit(FitOptions::new(1).progress(false)).unwrap();
    assert_eq!(tch::get_num_threads(), threads);
}

/// The thread count that a program sets in libtorch itself is kept if it declines the crate's.
fn the_number_of_threads_can_be_left() {
    let most = i32::try_from(std::thread::available_parallelism().unwrap().get()).unwrap();
    tch::set_num_threads(most + 3);
    runtime::init(RuntimeOptions::new().settle_threads(false)).unwrap();
    assert_eq!(i32::try_from(num_threads()).unwrap(), most + 3);
}

fn set_up_comes_first_and_once() {
    runtime::init(RuntimeOptions::new()).unwrap();
    let error = runtime::init(RuntimeOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.advice().unwrap().contains("beginning of main"), "{error}");
}

fn batch_sizes_are_tried(options: RuntimeOptions) {
    runtime::init(options).unwrap();
    assert!(!model(BatchSize::Auto).batch_size_trials().is_empty());
}

/// Creates a large tensor in a training step, and returns whether the process keeps its memory after it is freed.
struct LargeTensor(Arc<Mutex<Option<bool>>>);

impl Callback for LargeTensor {
    fn on_step(&mut self, _: &StepReport<'_>) -> geolearn::Result<Flow> {
        let mut stays = self.0.lock().unwrap();
        // Later it is already resident.
        if stays.is_some() {
            return Ok(Flow::Continue);
        }
        let before = resident();
        drop(tch::Tensor::ones([LARGE >> 2], (tch::Kind::Float, tch::Device::Cpu)));
        *stays = before.zip(resident()).map(|(before, now)| now > before + LARGE / 2);
        Ok(Flow::Continue)
    }
}

fn a_large_tensor_stays_in_training() -> Option<bool> {
    let stays = Arc::new(Mutex::new(None));
    let fit = FitOptions::new(1).progress(false).callback(LargeTensor(stays.clone()));
    model(BatchSize::Fixed(1)).fit(fit).unwrap();
    *stays.lock().unwrap()
}

/// Returns the resident memory of the process in bytes, if the system reports it.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok().map(|kib| kib << 10)
}

fn memory_of_training_is_kept() {
    runtime::init(RuntimeOptions::new()).unwrap();
    assert_eq!(a_large_tensor_stays_in_training(), cfg!(target_os = "linux").then_some(true));
}

fn memory_of_training_is_kept_on_demand_only() {
    runtime::init(RuntimeOptions::new().keep_training_memory(false)).unwrap();
    assert_eq!(a_large_tensor_stays_in_training(), cfg!(target_os = "linux").then_some(false));
}
