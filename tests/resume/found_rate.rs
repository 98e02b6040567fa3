//! Tests fits that find their learning rate and resume with it.

use geolearn::train::{Callback, FitReport, Flow, LearningRate, LrFindOptions, StepReport};
use geolearn::{CycleGan, DataBunch, ErrorKind};

use super::events::events;
use super::{builder, common, data, header, last, losses, options, tensors};

/// As small as possible, since a search takes a hundred steps.
fn model(data: &DataBunch) -> CycleGan {
    builder(data).gen_features(4).disc_features(4).build().unwrap()
}

/// Stops after this many steps of the fit.
struct After(usize);

impl Callback for After {
    fn on_step(&mut self, report: &StepReport<'_>) -> geolearn::Result<Flow> {
        Ok(if report.steps >= self.0 { Flow::Stop } else { Flow::Continue })
    }
}

/// Checks the learning rate that a fit reports at its start.
struct Says(Option<f64>);

impl Callback for Says {
    fn on_fit_start(&mut self, report: &FitReport<'_>) -> geolearn::Result<Flow> {
        assert_eq!((report.lr_found, self.0.unwrap_or(report.lr)), (self.0, report.lr));
        Ok(Flow::Continue)
    }
}

/// Returns the number of searches that `work` makes.
fn searches(work: impl FnOnce()) -> usize {
    let ((), told) = events(tracing::Level::INFO, work);
    told.iter().flatten().filter(|(name, value)| name == "message" && value == "learning rate found").count()
}

/// Identical bit for bit, with any schedule.
#[test]
fn a_fit_that_finds_its_rate_equals_lr_find_and_a_fit() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 7, 6));
    let curve = model(&data).lr_find_with(LrFindOptions::default().progress(false)).unwrap();
    let lr = curve.suggestion().unwrap();
    for one_cycle in [false, true] {
        let run = |name: &str| folder.path().join(format!("{name}_{one_cycle}"));
        let (mut found, mut given) = (model(&data), model(&data));
        let given = given.fit(options(2, &run("given")).lr(lr).one_cycle(one_cycle).callback(Says(None))).unwrap();
        let searched = options(2, &run("found")).lr(LearningRate::Find).one_cycle(one_cycle);
        let found = found.fit(searched.callback(Says(Some(lr)))).unwrap();
        assert!(tensors(&last(&run("found"))) == tensors(&last(&run("given"))));
        assert_eq!(losses(&last(&run("found"))), losses(&last(&run("given"))));
        assert!(found.epochs().iter().all(|epoch| epoch.lr_found == Some(lr)));
        assert!(given.epochs().iter().all(|epoch| epoch.lr_found.is_none()));
        assert_eq!(
            found.epochs().iter().map(|epoch| epoch.lr).collect::<Vec<_>>(),
            given.epochs().iter().map(|epoch| epoch.lr).collect::<Vec<_>>()
        );
        assert_eq!(header(&last(&run("found")))["plan"]["lr"], lr);
    }
}

/// The rate is that of the checkpoint, whether a search is requested again or the rate is given.
#[test]
fn a_resumed_fit_does_not_search_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 7, 6));
    let run = |name: &str| folder.path().join(name);
    let fit = |name: &str| options(2, &run(name)).lr(LearningRate::Find);
    let mut whole = model(&data);
    assert_eq!(searches(|| drop(whole.fit(fit("whole")).unwrap())), 1);
    let lr = whole.history().epochs()[0].lr_found.unwrap();
    for (name, gone_on) in [("asked", fit("asked")), ("named", options(2, &run("named")).lr(lr))] {
        model(&data).fit(fit(name).callback(After(5))).unwrap();
        let mut second = model(&data);
        assert_eq!(searches(|| drop(second.fit(gone_on).unwrap())), 0, "{name}");
        assert!(tensors(&last(&run(name))) == tensors(&last(&run("whole"))), "{name}");
        assert!(second.history().epochs().iter().all(|epoch| epoch.lr_found == Some(lr)), "{name}");
    }
}

#[test]
fn a_checkpoint_of_another_rate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&common::few_chips(folder.path(), 5, 4));
    let run = |name: &str| folder.path().join(name);
    model(&data).fit(options(1, &run("given")).lr(1e-3)).unwrap();
    model(&data).fit(options(1, &run("found")).lr(LearningRate::Find)).unwrap();
    let error = model(&data).fit(options(1, &run("given")).lr(LearningRate::Find)).unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("lr(0.001)"), "{error}");
    let error = model(&data).fit(options(1, &run("found")).lr(1.5e-3)).unwrap_err();
    assert!(error.kind() == ErrorKind::Usage && error.to_string().contains("lr differs"), "{error}");
}
