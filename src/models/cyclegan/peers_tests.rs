//! A fit in several simulated processes (threads), compared with a fit in one process whose batches are as large as
//! theirs together.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::config::CycleGanConfig;
use super::model::CycleGanModel;
use super::networks::Networks;
use crate::dataset::{Augment, DataBunch, DatasetType, PerDomain, PrepareData};
use crate::device::Precision;
use crate::distributed::Distributed;
use crate::error::Result;
use crate::loss::DiffAugment;
use crate::models::core::{self, FitResult, PeerFit, SAME_BITS};
use crate::testing::{Tolerance, few_chips, free_port};
use crate::train::{Callback, Checkpoint, FitOptions, Flow, StepReport};

/// Everything that draws or remembers is on: pools that fill up quickly, augmentation of chips and of the
/// discriminators' images, the running mean, spectral norms.
fn config(pool_size: usize) -> CycleGanConfig {
    CycleGanConfig {
        gen_blocks: 1,
        gen_features: 4,
        disc_features: 4,
        pool_size,
        average_half_life: 20.0,
        spectral_norm: true,
        diff_augment: DiffAugment::default().translation(true).cutout(true).color(true),
        ..CycleGanConfig::default()
    }
}

fn model(pool_size: usize) -> CycleGanModel {
    let (config, channels) = (config(pool_size), PerDomain { a: 3, b: 3 });
    let nets = Networks::new(&config, channels, Device::Cpu, Kind::Double).unwrap();
    CycleGanModel::new(config, nets, channels, Device::Cpu)
}

fn data(folder: &Path, batch_size: usize) -> DataBunch {
    let prepare = PrepareData::new(folder, DatasetType::CycleGan).resize_to(48).workers(0).val_split_pct(0.2);
    prepare.augment(Augment::default().zoom(1.3).crop(40)).batch_size(batch_size).prepare().unwrap()
}

/// 17 chips of A for training and 4 for validation, 13 and 3 of B: five steps of four chips, the last of one.
fn chips() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    few_chips(folder.path(), [21, 16]);
    assert_eq!((data(folder.path(), 4).batches_per_epoch(), data(folder.path(), 1).batches_per_epoch()), (5, 17));
    folder
}

fn options() -> FitOptions {
    FitOptions::new(4).progress(false).precision(Precision::F32).validate_every(2)
}

/// Runs one fit of a small model with pools of this many images in `count` processes with `size` chips each.
fn together(
    folder: &Path,
    pool_size: usize,
    processes: (usize, usize),
    options: impl Fn(usize) -> FitOptions + Sync,
) -> Vec<FitResult> {
    let (model, data) = (|| model(pool_size), |size| data(folder, size));
    PeerFit { model: &model, data: &data }.together(processes, options)
}

/// Runs one process's fit with `size` chips a step.
fn trained(folder: &Path, pool_size: usize, size: usize, options: FitOptions) -> FitResult {
    let (model, data) = (|| model(pool_size), |size| data(folder, size));
    PeerFit { model: &model, data: &data }.fit(size, options)
}

fn check(what: &str, tolerance: Tolerance, found: &FitResult, expected: &FitResult) {
    core::check::<CycleGanModel>(what, tolerance, found, expected);
}

/// Twenty steps in two and in four processes; the last batch of an epoch has one chip, so all but one process have
/// none.
#[test]
fn processes_learn_like_one() {
    let chips = chips();
    for pool_size in [0, 3] {
        let whole = together(chips.path(), pool_size, (1, 4), |_| options()).remove(0);
        assert_eq!(whole.1.steps(), 20);
        let pooled = whole.0.iter().filter(|(name, _)| name.starts_with("pool_")).count();
        assert_eq!(pooled, 2 * pool_size);
        for processes in [(2, 2), (4, 1)] {
            let left = together(chips.path(), pool_size, processes, |_| options());
            let what = format!("{processes:?}, pools of {pool_size}");
            check(&what, Tolerance::abs(1e-6), &left[0], &whole);
            left[1..].iter().for_each(|other| check(&what, SAME_BITS, other, &left[0]));
        }
        // The tolerance distinguishes fits: other batches give other weights.
        let other = together(chips.path(), pool_size, (1, 5), |_| options()).remove(0);
        let distance = (&other.0[0].1 - &whole.0[0].1).abs().max().double_value(&[]);
        assert!(distance > 1e-4, "{distance}");
    }
}

/// Names the chips of a child process; without it the child's test does nothing.
const CHIPS: &str = "GEOLEARN_TEST_DISTRIBUTED_CHIPS";
/// Number of chips of a step.
const SIZE: &str = "GEOLEARN_TEST_DISTRIBUTED_SIZE";
const POOL_SIZE: usize = 3;

/// Not a separate test: one of several real processes.
#[test]
#[ignore = "run by the test that starts several"]
fn child() {
    let Some(chips) = std::env::var_os(CHIPS) else { return };
    tch::set_num_threads(1);
    let (group, size) = (Distributed::from_env().unwrap(), std::env::var(SIZE).unwrap().parse().unwrap());
    let file = Path::new(&chips).join(format!("left_{}_{}", group.world_size(), group.rank()));
    let FitResult(state, _) = trained(Path::new(&chips), POOL_SIZE, size, options().distributed(group));
    Tensor::save_multi(&state, file).unwrap();
}

/// The same with libtorch's exchange, between operating-system processes.
#[test]
fn real_processes_learn_like_one() {
    let chips = chips();
    let FitResult(whole, history) = trained(chips.path(), POOL_SIZE, 4, options());
    assert_eq!(history.steps(), 20);
    for (count, size) in [(2, 2), (4, 1)] {
        run_processes(chips.path(), count, size);
        let left = |rank| Tensor::load_multi(chips.path().join(format!("left_{count}_{rank}"))).unwrap();
        let first = left(0);
        assert_eq!(first.len(), whole.len());
        for ((name, expected), (found_name, found)) in whole.iter().zip(&first) {
            assert_eq!(found_name, name);
            Tolerance::abs(1e-6).tensor(&format!("{count} processes: {name}"), found, expected);
        }
        for rank in 1..count {
            assert!(left(rank) == first, "process {rank} of {count} has other bits than the first");
        }
    }
}

fn run_processes(chips: &Path, count: usize, size: usize) {
    let port = free_port();
    let start = |rank: usize| {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["models::cyclegan::peers_tests::child", "--exact", "--ignored", "--quiet"])
            .envs([(CHIPS, chips.as_os_str())])
            .envs(
                [(SIZE, size), ("RANK", rank), ("WORLD_SIZE", count), ("LOCAL_RANK", rank)]
                    .map(|(k, v)| (k, v.to_string())),
            )
            .envs([("MASTER_ADDR", "127.0.0.1".to_owned()), ("MASTER_PORT", port.to_string())])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..count).map(start).collect();
    for (rank, mut child) in children.into_iter().enumerate() {
        assert!(child.wait().unwrap().success(), "process {rank} of {count} failed");
    }
}

/// Gradients that are kept over several batches are summed over the processes once for each update.
#[test]
fn accumulated_batches_of_processes_equal_those_of_one() {
    let chips = chips();
    let options = |_| options().accumulate(2);
    let whole = together(chips.path(), 3, (1, 4), options).remove(0);
    for left in together(chips.path(), 3, (2, 2), options) {
        check("accumulated", Tolerance::abs(1e-6), &left, &whole);
    }
}

/// Ends the fit after a step.
struct At(usize);

impl Callback for At {
    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        Ok(if report.steps >= self.0 { Flow::Stop } else { Flow::Continue })
    }
}

/// Stopped within the second epoch by the callback of the first process, and resumed by new models.
#[test]
fn processes_resume_to_the_same_bits() {
    let chips = chips();
    let run = |name: &str, processes: (usize, usize), stop: usize| {
        together(chips.path(), 3, processes, |rank| {
            let folder = chips.path().join("runs").join(format!("{name}_{rank}"));
            options().checkpoint(Checkpoint::Last).checkpoint_dir(folder).resume(true).callback(At(stop))
        })
    };
    let whole = run("whole", (2, 2), usize::MAX);
    let broken = run("broken", (2, 2), 8);
    assert!(broken.iter().all(|left| left.1.steps() == 8));
    check("broken", SAME_BITS, &broken[1], &broken[0]);
    for left in run("broken", (2, 2), usize::MAX) {
        check("resumed", SAME_BITS, &left, &whole[0]);
    }
    run("changed", (2, 2), 8);
    let one = run("changed", (1, 4), usize::MAX);
    check("resumed by one process", Tolerance::abs(1e-6), &one[0], &whole[0]);
}
