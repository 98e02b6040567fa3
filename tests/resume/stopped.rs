//! Tests fits that are stopped and resumed.

use crate::common::on_cpu;
use std::path::Path;

use geolearn::optim::{OneCycle, Schedule};
use geolearn::train::{Callback, Checkpoint, EarlyStopping, EpochReport, Flow, StepReport, StopSignal};
use geolearn::{FitOptions, Result};

use super::{common, data, last, losses, model, options, tensors};

/// Stops after this many steps of the fit.
pub(super) struct After(pub(super) usize);

impl Callback for After {
    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        Ok(if report.steps >= self.0 { Flow::Stop } else { Flow::Continue })
    }
}

/// Stopped after `steps` and resumed by a new model, `fit` ends like an uninterrupted one.
fn check(steps: usize, fit: impl Fn(&Path) -> FitOptions) {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 7, 6));
    let (unbroken, broken) = (folder.path().join("unbroken"), folder.path().join("broken"));
    let mut whole = model(&data);
    let all = whole.fit(fit(&unbroken)).unwrap();
    model(&data).fit(fit(&broken).callback(After(steps))).unwrap();
    let mut second = model(&data);
    let gone_on = second.fit(fit(&broken)).unwrap();
    assert_eq!(gone_on.epochs().len(), all.epochs().len(), "stopped after {steps} steps");
    assert_eq!(gone_on.losses("generator"), all.losses("generator"));
    assert_eq!(second.history().losses("valid_loss"), whole.history().losses("valid_loss"));
    assert_eq!(common::answer(&second), common::answer(&whole));
    assert!(tensors(&last(&broken)) == tensors(&last(&unbroken)), "stopped after {steps} steps");
    assert_eq!(losses(&last(&broken)), losses(&last(&unbroken)));
}

#[test]
fn within_an_epoch_and_at_its_end() {
    for steps in [1, 4, 6, 7, 12] {
        check(steps, |folder| options(3, folder));
    }
}

#[test]
fn with_another_schedule_and_accumulated_batches() {
    let cycle = Schedule::OneCycle(OneCycle::default());
    check(5, |folder| options(3, folder).schedule(cycle).accumulate(4).validate_every(2));
}

#[test]
fn a_finished_fit_does_not_train_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let run = folder.path().join("run");
    let mut first = model(&data);
    first.fit(options(2, &run)).unwrap();
    let mut second = model(&data);
    let history = second.fit(options(2, &run)).unwrap();
    assert_eq!(history.epochs().len(), 2);
    assert_eq!(common::answer(&first), common::answer(&second));
}

/// The second fit of a model resumes too: its history counts from its own start.
#[test]
fn the_second_fit_of_a_model_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let run = |name: &str| folder.path().join(name);
    let quiet = || FitOptions::new(1).progress(false);
    let mut whole = model(&data);
    whole.fit(quiet()).unwrap();
    let expected = whole.fit(options(3, &run("a")).lr(1e-4)).unwrap();
    let mut parts = model(&data);
    parts.fit(quiet()).unwrap();
    parts.fit(options(3, &run("b")).lr(1e-4).callback(After(6))).unwrap();
    let mut fresh = model(&data);
    let found = fresh.fit(options(3, &run("b")).lr(1e-4)).unwrap();
    assert_eq!(found.losses("cycle"), expected.losses("cycle"));
    assert_eq!((found.epochs().len(), fresh.history().epochs().len()), (3, 4));
    assert_eq!(common::answer(&fresh), common::answer(&whole));
}

/// A fit that ended by early stopping stays ended.
#[test]
fn early_stopping_works_after_a_resume() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let run = folder.path().join("run");
    let never_better = EarlyStopping::default().patience(2).min_delta(1e6);
    let fit = || options(9, &run).monitor("valid_cycle").early_stopping(never_better);
    let mut first = model(&data);
    assert_eq!(first.fit(fit()).unwrap().epochs().len(), 3);
    let mut second = model(&data);
    assert_eq!(second.fit(fit()).unwrap().epochs().len(), 3);
    assert_eq!(common::answer(&first), common::answer(&second));
}

/// Does what Ctrl-C does in the examples: the signal comes from another thread.
#[test]
fn a_signal_ends_the_fit_after_its_step() {
    struct Tells(std::sync::mpsc::Sender<()>);
    impl Callback for Tells {
        fn on_epoch_end(&mut self, _: &EpochReport<'_>) -> Result<Flow> {
            let _ = self.0.send(());
            Ok(Flow::Continue)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 7, 6));
    let run = folder.path().join("run");
    let (sender, receiver) = std::sync::mpsc::channel();
    let signal = StopSignal::new();
    let other = signal.clone();
    let thread = std::thread::spawn(move || {
        receiver.recv().unwrap();
        other.stop();
    });
    let mut stopped = model(&data);
    // It would take hours.
    stopped.fit(options(10_000, &run).callback(Tells(sender)).callback(signal)).unwrap();
    thread.join().unwrap();
    let kept = on_cpu::from_checkpoint(last(&run), &data).unwrap();
    assert_eq!(common::answer(&kept), common::answer(&stopped));
}

/// The signal is set after the ninth step, so the tenth is not taken.
#[test]
fn a_signal_stops_within_the_epoch() {
    struct Signals(StopSignal);
    impl Callback for Signals {
        fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
            if report.steps == 8 {
                self.0.stop();
            }
            Ok(Flow::Continue)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 7, 6));
    let run = folder.path().join("run");
    let signal = StopSignal::new();
    let mut stopped = model(&data);
    stopped.fit(options(5, &run).callback(Signals(signal.clone())).callback(signal)).unwrap();
    assert_eq!(stopped.history().steps(), 9);
    let header = super::header(&last(&run));
    assert_eq!((&header["position"]["epochs"], &header["position"]["batches"]), (&1.into(), &3.into()));
    // The same model can resume as well as a new one.
    stopped.fit(options(5, &run)).unwrap();
    let mut whole = model(&data);
    whole.fit(options(5, &folder.path().join("whole"))).unwrap();
    assert_eq!(common::answer(&stopped), common::answer(&whole));
}

#[test]
fn a_model_from_a_checkpoint_starts_a_new_schedule_with_its_moments() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let run = folder.path().join("run");
    let constant = |epochs| FitOptions::new(epochs).progress(false).schedule(Schedule::Constant);
    let mut whole = model(&data);
    whole.fit(constant(4)).unwrap();
    let mut first = model(&data);
    first.fit(constant(2).checkpoint(Checkpoint::Last).checkpoint_dir(&run)).unwrap();
    let mut second = on_cpu::from_checkpoint(last(&run), &data).unwrap();
    assert_eq!(second.config(), first.config());
    assert_eq!(second.history(), first.history());
    second.fit(constant(2)).unwrap();
    assert_eq!(common::answer(&second), common::answer(&whole));
}
