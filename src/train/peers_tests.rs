//! Agreement between the processes of a fit, with threads standing in for processes and a model of one number.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::dataset::{Batch, DataBunch, DatasetType, Domain, PrepareData};
use crate::device::Precision;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::{Better, Metric, MetricColumn};
use crate::peers::{Peers, sum_all};
use crate::testing::{Tolerance, crew_with, few_chips};

/// A model that learns the brightness of domain A, and can be told to fail.
pub(super) struct Brightness {
    pub value: Tensor,
    pub name: &'static str,
    pub fails: fn(u64) -> Option<Error>,
    pub spoils: fn(u64) -> bool,
    /// Is set by a validation.
    pub stops: Option<StopSignal>,
}

impl Brightness {
    pub fn new() -> Self {
        let value = Tensor::from_slice(&[0.25f64]);
        Self { value, name: "brightness", fails: |_| None, spoils: |_| false, stops: None }
    }

    fn value(&self) -> f64 {
        self.value.double_value(&[0])
    }
}

impl Translator for Brightness {
    fn loss_names(&self) -> &'static [&'static str] {
        &["distance"]
    }

    fn train_step(&mut self, batch: &Batch, context: StepContext<'_>) -> Result<Tensor> {
        if let Some(error) = (self.fails)(context.step) {
            return Err(error);
        }
        let off = &self.value - batch.a.mean_dim([1, 2, 3].as_slice(), false, Kind::Double);
        let mut gradient = [context.share * 2.0 * off.mean(Kind::Double).view([1])];
        sum_all(context.joint_batch(&batch.a)?.peers(), &mut gradient)?;
        let loss = off.square().mean(Kind::Double).view([1]);
        self.value -= &gradient[0] * context.lr;
        Ok(if (self.spoils)(context.step) { loss * f64::NAN } else { loss })
    }

    fn metric_names(&self) -> &'static [&'static str] {
        &["valid_mean"]
    }

    fn validate(&self, batch: &Batch, _: Precision) -> Result<Tensor> {
        self.stops.iter().for_each(StopSignal::stop);
        Ok(batch.a.mean(Kind::Double).view([1]))
    }

    fn translate(&self, images: &Tensor, _: Domain) -> Result<Tensor> {
        Ok(images.shallow_clone())
    }

    fn torch_device(&self) -> Device {
        Device::Cpu
    }

    fn state(&self) -> TrainState {
        TrainState::new(vec![("value".into(), self.value.shallow_clone())])
    }

    fn restore(&mut self, state: &TrainState) -> Result<()> {
        self.value.copy_(&state.tensors[0].1);
        Ok(())
    }

    fn configuration(&self) -> Result<Value> {
        Ok(json!({ "name": self.name }))
    }
}

/// Counts images, so that the value shows which process got which.
#[derive(Debug, Default)]
struct Images(f64);

impl Metric for Images {
    fn columns(&self) -> Vec<MetricColumn> {
        vec![MetricColumn::new("valid_images", Better::Higher)]
    }

    fn update(&mut self, _: Domain, images: &Tensor, _: &Tensor) -> Result<()> {
        self.0 += images.size()[0] as f64;
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Option<f64>>> {
        Ok(vec![Some(std::mem::take(&mut self.0))])
    }
}

/// Wants to stop after being asked this often, and counts what is reported to it.
#[derive(Debug)]
pub(super) struct Follower {
    stop_at: usize,
    asked: AtomicUsize,
    told: Arc<AtomicUsize>,
}

impl Follower {
    pub fn new(stop_at: usize) -> Self {
        Self { stop_at, asked: AtomicUsize::new(0), told: Arc::default() }
    }
}

impl Callback for Follower {
    fn wants_to_stop(&self) -> bool {
        self.asked.fetch_add(1, Ordering::SeqCst) + 1 >= self.stop_at
    }

    fn on_step(&mut self, _: &StepReport<'_>) -> Result<Flow> {
        self.told.fetch_add(1, Ordering::SeqCst);
        Ok(Flow::Continue)
    }
}

/// Does something at a step of the fit.
pub(super) struct At(pub usize, pub fn() -> Result<Flow>);

/// Ends the fit after the first epoch.
struct AfterOne;

impl Callback for AfterOne {
    fn on_epoch_end(&mut self, _: &EpochReport<'_>) -> Result<Flow> {
        Ok(Flow::Stop)
    }
}

impl Callback for At {
    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        if report.steps == self.0 { self.1() } else { Ok(Flow::Continue) }
    }
}

/// 13 chips of A for training and 4 for validation, 9 of B.
pub(super) fn data(folder: &Path, batch_size: usize) -> DataBunch {
    let prepare = PrepareData::new(folder, DatasetType::CycleGan).resize_to(16).workers(0).val_split_pct(0.2);
    prepare.batch_size(batch_size).prepare().unwrap()
}

pub(super) fn chips() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    few_chips(folder.path(), [17, 12]);
    folder
}

pub(super) fn quiet(epochs: usize) -> FitOptions {
    FitOptions::new(epochs).progress(false).lr(0.05)
}

/// The result of a fit in one process.
#[derive(Debug)]
pub(super) struct FitResult {
    pub result: Result<History>,
    pub history: History,
    pub value: f64,
}

impl FitResult {
    pub fn of(mut model: Brightness, data: &DataBunch, options: FitOptions) -> Self {
        let mut history = History::default();
        let result = fit(&mut model, data, options, &mut history);
        Self { result, history, value: model.value() }
    }

    pub fn kind(&self) -> ErrorKind {
        self.result.as_ref().unwrap_err().kind()
    }

    pub fn is_like(&self, other: &Self) -> bool {
        let losses = |left: &Self| left.history.losses("distance");
        (self.value, self.history.steps(), losses(self)) == (other.value, other.history.steps(), losses(other))
    }
}

/// Runs one fit in `count` processes with the same batch size; `change` makes a process differ from the others.
pub(super) fn together(
    folder: &Path,
    (count, batch_size): (usize, usize),
    change: impl Fn(usize, Brightness, FitOptions) -> (Brightness, FitOptions) + Sync,
) -> Vec<FitResult> {
    crew_with(count, |member| {
        let (model, options) = change(member.part().rank, Brightness::new(), quiet(4));
        FitResult::of(model, &data(folder, batch_size), options.peers(member))
    })
}

/// Losses, metrics and weights, with last batches that are uneven or too small for all. Each process may differ by
/// rounding from a single one, but not from the others.
#[test]
fn processes_learn_and_measure_like_one() {
    let chips = chips();
    for accumulate in [1, 2] {
        for (count, size) in [(2, 2), (2, 3), (4, 1), (4, 2), (3, 5)] {
            let options = |options: FitOptions| options.accumulate(accumulate).metric(Images::default());
            let whole = FitResult::of(Brightness::new(), &data(chips.path(), count * size), options(quiet(4)));
            let left = together(chips.path(), (count, size), |_, model, own| (model, options(own)));
            let exact = Tolerance::abs(1e-12);

            for left in &left {
                exact.number("weights", left.value, whole.value);
                assert_eq!(left.history.steps(), whole.history.steps());
                for name in ["distance", "valid_mean", "valid_images"] {
                    let (found, expected) = (left.history.losses(name).unwrap(), whole.history.losses(name).unwrap());
                    assert_eq!(found.len(), 4);
                    found.iter().zip(&expected).for_each(|(found, expected)| exact.number(name, *found, *expected));
                }
            }
            assert!((whole.value - 0.25).abs() > 1e-3, "nothing was learned");
        }
    }
}

/// Callbacks of the other processes would write the same files.
#[test]
fn only_callbacks_of_the_first_process_are_called() {
    let chips = chips();
    let counts: [Arc<AtomicUsize>; 2] = Default::default();
    let file = |rank| chips.path().join(format!("history_{rank}.csv"));
    let _ = together(chips.path(), (2, 2), |rank, model, options| {
        let follower = Follower { told: counts[rank].clone(), ..Follower::new(usize::MAX) };
        let stop = At(6, || Ok(Flow::Stop));
        (model, options.callback(follower).callback(HistoryFile::new(file(rank))).callback(stop))
    });
    assert_eq!(counts.map(|told| told.load(Ordering::SeqCst)), [6, 0]);
    assert!(file(0).exists() && !file(1).exists());
}

/// Returns what a fit of two processes has learned after its first epoch.
fn after_one_epoch(chips: &Path) -> FitResult {
    let mut left = together(chips, (2, 2), |_, model, options| (model, options.callback(AfterOne)));
    assert_eq!((left[0].history.epochs().len(), left[0].history.steps()), (1, 4));
    left.remove(0)
}

/// NaN losses in one process end the fit in all; each goes back to the end of the first epoch.
#[test]
fn divergence_of_one_process_ends_all() {
    let chips = chips();
    let good = after_one_epoch(chips.path());
    for spoilt in 0..2 {
        let left = together(chips.path(), (2, 2), |rank, model, options| {
            let spoils: fn(u64) -> bool = if rank == spoilt { |step| step == 5 } else { |_| false };
            (Brightness { spoils, ..model }, options)
        });
        assert!(left.iter().all(|left| left.kind() == ErrorKind::Diverged && left.is_like(&good)), "{left:?}");
    }
}

/// A process that cannot continue leaves, and the others neither wait nor keep half an epoch.
#[test]
fn no_process_waits_for_a_failed_one() {
    let chips = chips();
    let good = after_one_epoch(chips.path());
    for failing in 0..2 {
        let left = together(chips.path(), (2, 2), |rank, model, options| {
            let fails: fn(u64) -> Option<Error> = match rank == failing {
                true => |step| (step == 5).then(|| Error::new(ErrorKind::Format, "the chip is broken")),
                false => |_| None,
            };
            (Brightness { fails, ..model }, options)
        });
        assert_eq!(left[failing].kind(), ErrorKind::Format);
        let words = left[1 - failing].result.as_ref().unwrap_err().to_string();
        assert!(words.contains("the chip is broken"), "{words}");
        assert!(left.iter().all(|left| left.is_like(&good)), "{left:?}");
    }
}

/// A valid update is kept, as with one process.
#[test]
fn an_error_of_a_callback_ends_the_fit_in_all_processes() {
    let chips = chips();
    let full = || Err(Error::callback("the disk is full"));
    let left = together(chips.path(), (2, 2), |_, model, options| (model, options.callback(At(6, full))));
    assert!(left.iter().all(|left| left.kind() == ErrorKind::Callback && left.history.steps() == 6), "{left:?}");
    let words = left[1].result.as_ref().unwrap_err().to_string();
    assert_eq!(words, "process 0 failed (the disk is full)");
}

#[test]
fn different_fits_are_refused() {
    let chips = chips();
    type Change = fn(Brightness, FitOptions) -> (Brightness, FitOptions);
    let changes: [(&str, Change); 5] = [
        ("model.name", |model, options| (Brightness { name: "other", ..model }, options)),
        ("weights", |model, options| (Brightness { value: Tensor::from_slice(&[0.5f64]), ..model }, options)),
        ("fit.lr", |model, options| (model, options.lr(0.1))),
        ("find_lr", |model, options| (model, options.lr(LearningRate::Find))),
        ("metrics", |model, options| (model, options.metric(Images::default()))),
    ];
    for (key, change) in changes {
        let left = together(chips.path(), (3, 1), |rank, model, options| match rank {
            2 => change(model, options),
            _ => (model, options),
        });
        for left in &left {
            let error = left.result.as_ref().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains("process 2") && error.to_string().contains(key), "{key}: {error}");
            assert_eq!(left.history.steps(), 0);
        }
    }
}

/// Chips of other places under the same names.
#[test]
fn processes_with_other_data_are_refused() {
    let (chips, others) = (chips(), tempfile::tempdir().unwrap());
    few_chips(others.path(), [17, 12]);
    let name = |chip: usize| {
        let mut files: Vec<_> =
            std::fs::read_dir(others.path().join("A")).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        files.swap_remove(chip)
    };
    std::fs::copy(name(0), name(1)).unwrap();
    let left = crew_with(3, |member| {
        let folder = if member.part().rank == 1 { others.path() } else { chips.path() };
        FitResult::of(Brightness::new(), &data(folder, 1), quiet(4).peers(member))
    });
    for left in left {
        assert_eq!((left.kind(), left.history.steps()), (ErrorKind::Usage, 0));
        let text = left.result.unwrap_err().to_string();
        assert!(text.contains("process 1 does not run the same fit as process 0: data"), "{text}");
    }
}

/// Stopped within the second epoch. The checkpoint is in the folder of the first process; the others have none. One
/// process with the same batches can resume it, up to rounding; other batches are refused.
#[test]
fn a_fit_goes_on_from_the_checkpoint_of_the_first_process() {
    let chips = chips();
    let run = |name: &str, (count, size): (usize, usize), stop: usize| {
        together(chips.path(), (count, size), |rank, model, options| {
            let kept = options.checkpoint(Checkpoint::Last).checkpoint_dir(folder(chips.path(), name, rank));
            (model, kept.resume(true).callback(At(stop, || Ok(Flow::Stop))))
        })
    };
    let whole = run("whole", (2, 2), usize::MAX);
    for (name, processes) in [("same", (2, 2)), ("one", (1, 4)), ("four", (4, 1))] {
        let broken = run(name, (2, 2), 6);
        assert!(broken.iter().all(|left| left.history.steps() == 6));
        assert!(folder(chips.path(), name, 0).exists() && !folder(chips.path(), name, 1).exists());
        for left in run(name, processes, usize::MAX) {
            assert_eq!(left.result.as_ref().unwrap().epochs().len(), 4);
            match name {
                "same" => assert!(left.is_like(&whole[0]), "{left:?}"),
                _ => Tolerance::abs(1e-12).number("weights", left.value, whole[0].value),
            }
        }
    }
    for left in run("same", (2, 3), usize::MAX) {
        let error = left.result.unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("batch_size"), "{error}");
    }
}

fn folder(chips: &Path, name: &str, rank: usize) -> PathBuf {
    chips.join("runs").join(format!("{name}_{rank}"))
}
