//! Tests training as a user does it: repeatable, continued, stopped, diverged.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::sync::{Arc, Mutex};

use common::{answer, on_cpu, small_data, small_model};
use geolearn::optim::Schedule;
use geolearn::train::{Callback, EndReport, EpochReport, FitReport, Flow, History, StepReport};
use geolearn::{CycleGan, DatasetType, Domain, Error, ErrorKind, FitOptions, PrepareData, Result};

fn quiet(epochs: usize) -> FitOptions {
    FitOptions::new(epochs).progress(false)
}

#[test]
fn the_same_seed_gives_the_same_model_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let run = |seed: u64| {
        let data = small_data(folder.path());
        let mut model = on_cpu::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).pool_size(2).seed(seed);
        let mut model = {
            model = model.device(geolearn::Device::Cpu);
            model.build().unwrap()
        };
        let history = model.fit(quiet(3)).unwrap();
        (answer(&model), history.losses("generator").unwrap())
    };
    let first = run(1);
    assert_eq!(first, run(1));
    assert_ne!(first, run(2));
}

/// Two fits at a constant rate equal a single one: moments, order, augmentation and pools persist.
#[test]
fn fits_continue_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let constant = |epochs| quiet(epochs).schedule(Schedule::Constant);
    let mut whole = small_model(&data);
    whole.fit(constant(4)).unwrap();
    let mut parts = small_model(&data);
    parts.fit(constant(1)).unwrap();
    let second = parts.fit(constant(3)).unwrap();
    assert_eq!(second.epochs().len(), 3);
    assert_eq!(second.epochs()[0].epoch, 2);
    assert_eq!(parts.history().epochs().len(), 4);
    assert_eq!(answer(&whole), answer(&parts));
}

#[test]
fn training_learns() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    let history = model.fit(quiet(30).lr(2e-3)).unwrap();
    for name in ["cycle", "identity"] {
        let losses = history.losses(name).unwrap();
        assert!(losses[29] < 0.7 * losses[0], "{name}: {losses:?}");
    }
    let rates: Vec<f64> = history.epochs().iter().map(|epoch| epoch.lr).collect();
    assert_eq!(rates[14], 2e-3);
    assert!(rates[29] > 0.0 && rates[29] < 1e-4 && rates[20] < rates[16], "{rates:?}");
    model.plot_losses().unwrap();
    model.show_results(2).unwrap();
}

#[test]
fn divergence_restores_the_last_good_state() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    model.fit(quiet(1)).unwrap();
    let good = answer(&model);
    let error = model.fit(quiet(5).lr(1e30)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Diverged);
    let text = error.to_string();
    assert!(text.contains("diverged in epoch") && text.contains("learning rate"), "{text}");
    assert_eq!(model.history().epochs().len(), 1);
    assert_eq!(answer(&model), good);
    model.fit(quiet(1)).unwrap();
    assert!(answer(&model).iter().all(|v| v.is_finite()));
}

/// With one step per epoch no loss is read between the step that breaks the weights and the end of the epoch.
#[test]
fn weights_broken_by_the_last_step_are_detected() {
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 4, 4);
    let data = PrepareData::new(chips, DatasetType::CycleGan).resize_to(32).batch_size(64).prepare().unwrap();
    for epochs in [1, 3] {
        let mut model = small_model(&data);
        let before = answer(&model);
        let adam = geolearn::optim::AdamOptions::default().eps(1e-300);
        let error = model.fit(quiet(epochs).lr(f64::MAX).adam(adam)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Diverged, "{error}");
        assert_eq!(answer(&model), before);
        assert!(model.history().epochs().is_empty());
    }
}

#[derive(Default, Clone)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Callback for Log {
    fn on_fit_start(&mut self, report: &FitReport<'_>) -> Result<Flow> {
        self.0.lock().unwrap().push(format!("start {}x{}", report.epochs, report.steps_per_epoch));
        Ok(Flow::Continue)
    }

    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        assert_eq!(report.names.len(), report.losses.len());
        assert!(report.losses.iter().all(|loss| loss.is_finite()));
        self.0.lock().unwrap().push(format!("step {}", report.steps));
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        self.0.lock().unwrap().push(format!("epoch {}", report.epoch));
        Ok(if report.epoch == 2 { Flow::Stop } else { Flow::Continue })
    }

    fn on_fit_end(&mut self, report: &EndReport<'_>) -> Result<()> {
        self.0.lock().unwrap().push(format!("end {}", report.history.epochs().len()));
        Ok(())
    }
}

#[test]
fn callbacks_see_all_events_and_can_stop() {
    let folder = tempfile::tempdir().unwrap();
    let data = PrepareData::new(common::few_chips(folder.path(), 4, 3), DatasetType::CycleGan)
        .resize_to(32)
        .batch_size(2)
        .val_split_pct(0.0)
        .prepare()
        .unwrap();
    let log = Log::default();
    small_model(&data).fit(quiet(9).callback(log.clone())).unwrap();
    let expected = ["start 9x2", "step 1", "step 2", "epoch 1", "step 3", "step 4", "epoch 2", "end 2"];
    assert_eq!(*log.0.lock().unwrap(), expected);
}

struct Fails;

impl Callback for Fails {
    fn on_step(&mut self, _: &StepReport<'_>) -> Result<Flow> {
        Err(Error::callback("the disk quota is used up"))
    }
}

#[test]
fn an_error_of_a_callback_is_what_fit_returns() {
    let folder = tempfile::tempdir().unwrap();
    let error = small_model(&small_data(folder.path())).fit(quiet(1).callback(Fails)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Callback);
    assert!(error.to_string().contains("quota"));
}

#[test]
fn a_chip_that_vanishes_while_training_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let gone = data.train_files(Domain::A)[0].clone();
    std::fs::remove_file(&gone).unwrap();
    let mut model = small_model(&data);
    let before = answer(&model);
    let error = model.fit(quiet(1)).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(gone.as_path())));
    assert_eq!(answer(&model), before, "model and history agree after an error");
}

struct StopsAtOnce;

impl Callback for StopsAtOnce {
    fn on_step(&mut self, _: &StepReport<'_>) -> Result<Flow> {
        Ok(Flow::Stop)
    }
}

#[test]
fn a_callback_can_stop_within_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = small_model(&small_data(folder.path()));
    let history = model.fit(quiet(5).callback(StopsAtOnce)).unwrap();
    assert_eq!((history.epochs().len(), history.steps()), (1, 1));
}

#[test]
fn one_chip_a_domain_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 1, 1);
    let data = PrepareData::new(chips, DatasetType::CycleGan).resize_to(32).batch_size(8).prepare().unwrap();
    let mut model = small_model(&data);
    model.fit(quiet(2)).unwrap();
    model.show_results(3).unwrap();
}

#[test]
fn chips_that_are_too_small_to_train_on_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 3, 3);
    let data = PrepareData::new(chips, DatasetType::CycleGan).resize_to(16).prepare().unwrap();
    let error = CycleGan::new(&data).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("24 pixels"), "{error}");
}

#[test]
fn every_option_trains() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let base = || on_cpu::builder(&data).gen_blocks(1).gen_features(4).disc_features(4);
    for (name, builder) in [
        ("bce", base().lsgan(false)),
        ("no pool", base().pool_size(0)),
        ("no identity", base().identity_weight(0.0)),
        ("no cycle", base().cycle_weight(0.0)),
        ("kaiming", base().initialization(geolearn::nn::Initialization::Kaiming)),
    ] {
        let history = builder.build().unwrap().fit(quiet(1)).unwrap();
        assert!(history.last("generator").unwrap().is_finite(), "{name}");
        assert_eq!(history.last("identity").unwrap() == 0.0, name.starts_with("no ") && name != "no pool", "{name}");
    }
}

/// Gray maps and color photos, of different sizes and counts.
#[test]
fn domains_may_differ_in_bands_and_chip_size() {
    let folder = tempfile::tempdir().unwrap();
    let chips = common::few_chips(folder.path(), 4, 3);
    for entry in std::fs::read_dir(chips.join("B/images")).unwrap() {
        let path = entry.unwrap().path();
        let gray = image::open(&path).unwrap().resize_exact(40, 36, image::imageops::FilterType::Triangle).to_luma8();
        gray.save(&path).unwrap();
    }
    let data = PrepareData::new(chips, DatasetType::CycleGan).prepare().unwrap();
    let mut model = small_model(&data);
    model.fit(quiet(1)).unwrap();
    let map = model.predict_a2b(&data.train_files(Domain::A)[0]).unwrap();
    assert_eq!((map.bands(), map.height(), map.width()), (1, 64, 64));
    let photo = model.predict_b2a(&data.train_files(Domain::B)[0]).unwrap();
    assert_eq!((photo.bands(), photo.height(), photo.width()), (3, 36, 40));
}

/// A model's API adds nothing to the trainer.
#[test]
fn any_translator_can_be_trained() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let (mut by_face, mut by_trait, mut history) = (small_model(&data), small_model(&data), History::default());
    by_face.fit(quiet(2)).unwrap();
    geolearn::train::fit(&mut by_trait, &data, quiet(2), &mut history).unwrap();
    assert_eq!(answer(&by_face), answer(&by_trait));
    assert_eq!(history.losses("cycle"), by_face.history().losses("cycle"));
}

/// So that a model can be trained on one thread and used on another.
#[test]
fn models_and_data_cross_threads() {
    fn crosses<T: Send>() {}
    crosses::<CycleGan>();
    crosses::<geolearn::DataBunch>();
}
