//! Tests memory handling: automatic batch sizes, refusals, and running out of memory.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::process::Command;

use common::{answer, few_chips, on_cpu, small_data, small_model};
use geolearn::dataset::{Batch, BatchSize};
use geolearn::device::Precision;
use geolearn::models::LoadOptions;
use geolearn::tch::Tensor;
use geolearn::train::{History, MemoryEstimate, StepContext, TrainState, Translator, fit};
use geolearn::{CycleGan, DataBunch, DatasetType, Device, Domain, ErrorKind, FitOptions, PrepareData, Raster, Result};

fn quiet(epochs: usize) -> FitOptions {
    FitOptions::new(epochs).progress(false)
}

fn chips(folder: &std::path::Path, side: usize) -> PrepareData {
    PrepareData::new(few_chips(folder, 6, 5), DatasetType::CycleGan).resize_to(side).workers(0).val_split_pct(0.0)
}

fn model(data: &DataBunch, features: usize) -> CycleGan {
    let builder = on_cpu::builder(data).gen_blocks(1).gen_features(features).disc_features(4).pool_size(3);
    builder.device(Device::Cpu).build().unwrap()
}

#[test]
fn the_batch_size_is_found_by_trial_and_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let open = chips(folder.path(), 32).batch_size(BatchSize::Auto).prepare().unwrap();
    assert_eq!(open.batch_size(), 1, "not known before a model is built");
    let mut found = model(&open, 4);
    let chosen = found.batch_size().unwrap();
    let trials = found.batch_size_trials();
    assert!(trials.iter().any(|trial| trial.batch_size == chosen), "{trials:?}");
    assert!(trials.iter().zip([1, 2, 4]).all(|(trial, size)| trial.batch_size == size), "{trials:?}");
    assert!(trials.windows(2).all(|pair| pair[0].peak_bytes < pair[1].peak_bytes), "{trials:?}");
    assert!(trials.iter().all(|trial| trial.seconds_per_image > 0.0));
    assert!(found.history().epochs().is_empty());

    let mut given = model(&open.with_batch_size(chosen).unwrap(), 4);
    assert!(given.batch_size_trials().is_empty());
    assert_eq!(answer(&found), answer(&given));
    found.fit(quiet(2)).unwrap();
    given.fit(quiet(2)).unwrap();
    assert_eq!(answer(&found), answer(&given), "moments and pools are those of a new model");
}

#[test]
fn a_loaded_model_finds_its_batch_size_too() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let saved = small_model(&data).save(folder.path().join("saved")).unwrap();
    let open = chips(folder.path(), 32).batch_size(BatchSize::Auto).prepare().unwrap();
    let model = CycleGan::from_model_with(saved, LoadOptions::new().data(&open).device(Device::Cpu)).unwrap();
    assert_eq!(model.batch_size_trials()[0].batch_size, 1);
    assert_eq!(answer(&model), answer(&small_model(&data)));
}

/// A model that needs more memory than any machine has.
struct Greedy(CycleGan);

impl Translator for Greedy {
    fn loss_names(&self) -> &'static [&'static str] {
        self.0.loss_names()
    }

    fn train_step(&mut self, batch: &Batch, context: StepContext) -> Result<Tensor> {
        self.0.train_step(batch, context)
    }

    fn translate(&self, images: &Tensor, to: Domain) -> Result<Tensor> {
        self.0.translate(images, to)
    }

    fn torch_device(&self) -> geolearn::tch::Device {
        self.0.torch_device()
    }

    fn state(&self) -> TrainState {
        self.0.state()
    }

    fn restore(&mut self, state: &TrainState) -> Result<()> {
        self.0.restore(state)
    }

    fn memory_need(&self, _: &DataBunch, _: Precision, _: usize) -> Option<MemoryEstimate> {
        let mut estimate = MemoryEstimate::default();
        estimate.activations = 1 << 60;
        Some(estimate)
    }
}

#[test]
fn a_fit_too_large_for_memory_is_refused_before_training() {
    let folder = tempfile::tempdir().unwrap();
    let data = chips(folder.path(), 32).batch_size(2).prepare().unwrap();
    let (mut greedy, mut history) = (Greedy(model(&data, 4)), History::default());
    let before = answer(&greedy.0);
    let error = fit(&mut greedy, &data, quiet(1), &mut history).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limits);
    for part in ["GB", "batch_size is 2", "Augment::crop", "check_memory(false)"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert_eq!(answer(&greedy.0), before);
    fit(&mut greedy, &data, quiet(1).check_memory(false), &mut history).unwrap();
    assert_eq!(history.epochs().len(), 1);
}

/// The estimate is for the actual batches.
#[test]
fn few_chips_do_not_fill_a_large_batch() {
    let folder = tempfile::tempdir().unwrap();
    let estimate = |n| {
        let data = chips(folder.path(), 32).batch_size(n).prepare().unwrap();
        model(&data, 4).memory_estimate().unwrap().activations
    };
    assert_eq!(estimate(6), estimate(10_000));
    assert!(estimate(6) > 5 * estimate(1));
}

/// Runs a test of this file in a separate process, which must succeed.
fn alone(name: &str) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--ignored", "--exact", name, "--nocapture"]).output().unwrap();
    let told = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

/// Returns a line of `/proc/self/status`, in bytes.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// Limits this process to `more` bytes of additional address space.
fn limit(more: u64) {
    let most = status("VmSize:") + more;
    let (process, most) = (format!("--pid={}", std::process::id()), format!("--as={most}"));
    let done = Command::new("prlimit").args([process, most]).status().unwrap();
    assert!(done.success(), "prlimit (util-linux) cannot set a limit");
}

#[test]
fn running_out_of_memory_is_an_error_with_advice() {
    alone("child_that_runs_out_of_memory");
}

#[test]
#[ignore = "limits its own process; the test above runs it"]
fn child_that_runs_out_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let data = chips(folder.path(), 256).batch_size(6).prepare().unwrap();
    let mut model = model(&data, 16);
    let before = answer(&model);
    limit(200 << 20);
    let error = model.fit(quiet(1).check_memory(false)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limits);
    assert!(std::error::Error::source(&error).is_some());
    assert!(!error.to_string().contains("frame #"), "{error}");
    for part in ["batch_size is 6", "accumulate(6)", "Augment::crop", "gen_features"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert_eq!(answer(&model), before, "the model is put back");
    assert!(model.history().epochs().is_empty());

    let large = Raster::open(&data.train_files(Domain::A)[0]).unwrap().resize(3000, 3000).unwrap();
    let error = model.predict_image(&large, Domain::B).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limits);
    assert!(error.to_string().contains("predict_raster"), "{error}");
    assert_eq!(answer(&model), before);
}

#[test]
fn resident_memory_does_not_grow_while_training() {
    alone("child_that_trains_for_long");
}

/// The CPU allocator may keep a few more blocks; a leak of one chip per step would be 8 MB.
#[test]
#[ignore = "measures its own process; the test above runs it"]
fn child_that_trains_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let data = chips(folder.path(), 48).prepare().unwrap();
    let mut model = model(&data, 4);
    model.fit(quiet(10)).unwrap();
    let before = status("VmRSS:");
    model.fit(quiet(50)).unwrap();
    let grown = status("VmRSS:").saturating_sub(before);
    assert_eq!(model.history().steps(), 360);
    eprintln!("resident memory grew by {grown} bytes");
    assert!(grown < 4 << 20, "{grown}");
}
