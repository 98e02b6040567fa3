//! Tests that TensorBoard reads the event files. Needs a Python with tensorboard in GEOLEARN_TEST_PYTHON.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::{python, small_data, small_model};
use geolearn::train::{Callback, Checkpoint, EpochReport, Flow, History, StepReport};
use geolearn::train::{SamplePictures, TensorBoard};
use geolearn::{ErrorKind, FitOptions, Result};

/// Reads every scalar by tag, and the size of every decoded picture, with TensorBoard's own reader.
const SCRIPT: &str = r#"
import io, json, sys
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0})
run.Reload()
tags = run.Tags()
scalars = {tag: [[e.step, e.value] for e in run.Scalars(tag)] for tag in tags["scalars"]}
images = []
for tag in tags["images"]:
    for e in run.Images(tag):
        size = Image.open(io.BytesIO(e.encoded_image_string)).convert("RGB").size
        assert size == (e.width, e.height), (size, e.width, e.height)
        images.append([tag, e.step, *size])
print(json.dumps([scalars, images]))
"#;

type Scalars = BTreeMap<String, Vec<(u64, f64)>>;
type Images = Vec<(String, u64, u32, u32)>;

/// Returns `None` without a test Python.
fn read_back(folder: &Path) -> Option<(Scalars, Images)> {
    Some(serde_json::from_str(&python::run(&[&"-c", &SCRIPT, &folder])?).unwrap())
}

/// Returns the numbers of the history by epoch, rounded as event files round.
fn rounded(curve: &[(usize, f64)]) -> Vec<(u64, f64)> {
    curve.iter().map(|(epoch, value)| (*epoch as u64, f64::from(*value as f32))).collect()
}

fn assert_epochs_agree(scalars: &Scalars, history: &History) {
    for name in history.names() {
        assert_eq!(scalars[&format!("epoch/{name}")], rounded(&history.curve(name).unwrap()), "{name}");
    }
    for name in history.metric_names() {
        let tag = name.replace("valid_", "valid/");
        assert_eq!(scalars[&tag], rounded(&history.curve(name).unwrap()), "{name}");
    }
    let rates: Vec<(usize, f64)> = history.epochs().iter().map(|epoch| (epoch.epoch, epoch.lr)).collect();
    assert_eq!(scalars["epoch/lr"], rounded(&rates));
}

/// Steps are numbered continuously, and their mean is that of the epoch.
fn assert_steps_agree(scalars: &Scalars, history: &History) {
    for name in history.names() {
        let steps = &scalars[&format!("train/{name}")];
        assert_eq!(steps.iter().map(|(step, _)| *step).collect::<Vec<_>>(), (1..=history.steps()).collect::<Vec<_>>());
        let sum: f64 = steps.iter().map(|(_, loss)| loss).sum();
        let expected: f64 = history.curve(name).unwrap().iter().map(|(_, mean)| mean * 3.0).sum();
        // Each of some ten numbers is rounded to f32.
        assert!((sum - expected).abs() <= 1e-6 * expected.abs(), "{name}: {sum} {expected}");
    }
    assert_eq!(scalars["train/lr"].len() as u64, history.steps());
}

#[test]
fn tensorboard_reads_what_the_history_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = small_model(&small_data(folder.path()));
    let runs = folder.path().join("runs/first");
    let pictures = TensorBoard::new(&runs).pictures_every(2).rows(2);
    model.fit(FitOptions::new(3).validate_every(2).progress(false).callback(pictures)).unwrap();
    let Some((scalars, images)) = read_back(&runs) else { return };
    assert_epochs_agree(&scalars, model.history());
    assert_steps_agree(&scalars, model.history());
    let (width, height) = model.show_results(2).unwrap().as_rgb_image().dimensions();
    assert_eq!(images, [("results".to_string(), 2, width, height)]);
}

/// Fails after some steps of the fit, as a kill would, but for the checkpoint.
struct StopsAtStep(usize);

impl Callback for StopsAtStep {
    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        Ok(if report.steps == self.0 { Flow::Stop } else { Flow::Continue })
    }
}

struct FailsInEpoch(usize);

impl Callback for FailsInEpoch {
    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        match report.epoch == self.0 {
            true => Err(geolearn::Error::callback("the power is cut")),
            false => Ok(Flow::Continue),
        }
    }
}

/// The run is interrupted three times: within an epoch, where nothing is lost; after steps that no checkpoint has; and
/// at its end. TensorBoard shows each step once.
#[test]
fn a_resumed_run_is_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let runs = folder.path().join("runs");
    let options = || {
        let kept = folder.path().join("checkpoints");
        FitOptions::new(4)
            .progress(false)
            .checkpoint(Checkpoint::Last)
            .checkpoint_dir(kept)
            .resume(true)
            .callback(TensorBoard::new(&runs).pictures_every(0))
    };
    small_model(&data).fit(options().callback(StopsAtStep(4))).unwrap();
    small_model(&data).fit(options().callback(StopsAtStep(8)).callback(FailsInEpoch(2))).unwrap_err();
    let mut model = small_model(&data);
    model.fit(options()).unwrap();
    assert_eq!(model.history().epochs().len(), 4);
    assert_eq!(std::fs::read_dir(&runs).unwrap().count(), 3);
    let Some((scalars, images)) = read_back(&runs) else { return };
    assert_steps_agree(&scalars, model.history());
    // Whole epochs that ran twice appear twice, with the same numbers; the last ones count.
    for name in model.history().names() {
        let mut last: BTreeMap<u64, f64> = BTreeMap::new();
        last.extend(scalars[&format!("epoch/{name}")].iter().copied());
        assert_eq!(last.into_iter().collect::<Vec<_>>(), rounded(&model.history().curve(name).unwrap()), "{name}");
    }
    assert!(images.is_empty());
}

/// As after a diverged fit, or a second attempt in the same folder.
#[test]
fn a_new_run_replaces_the_older_one_in_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let runs = folder.path().join("runs");
    small_model(&data).fit(FitOptions::new(3).progress(false).tensorboard(&runs)).unwrap();
    let mut model = small_model(&data);
    model.fit(FitOptions::new(2).lr(1e-3).progress(false).tensorboard(&runs)).unwrap();
    let Some((scalars, images)) = read_back(&runs) else { return };
    assert_epochs_agree(&scalars, model.history());
    assert_steps_agree(&scalars, model.history());
    assert_eq!(images.len(), 2);
}

#[test]
fn an_unusable_folder_is_reported_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = small_model(&small_data(folder.path()));
    let occupied = folder.path().join("file");
    std::fs::write(&occupied, "").unwrap();
    let quiet = || FitOptions::new(1).progress(false);
    for options in [quiet().tensorboard(&occupied), quiet().callback(SamplePictures::new(&occupied))] {
        let error = model.fit(options).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(occupied.as_path())), "{error}");
    }
    for options in [
        quiet().callback(TensorBoard::new(folder.path().join("runs")).rows(0)),
        quiet().callback(SamplePictures::new(folder.path().join("samples")).rows(0)),
        quiet().callback(SamplePictures::new(folder.path().join("samples")).every(0)),
    ] {
        let error = model.fit(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
    assert!(model.history().epochs().is_empty());
}

#[test]
fn sample_pictures_go_on_with_the_numbers_of_a_resumed_fit() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let samples = folder.path().join("run/samples");
    let options = || {
        let kept = folder.path().join("checkpoints");
        let pictures = SamplePictures::new(&samples).every(2).rows(1);
        FitOptions::new(5)
            .progress(false)
            .checkpoint(Checkpoint::Last)
            .checkpoint_dir(kept)
            .resume(true)
            .callback(pictures)
    };
    small_model(&data).fit(options().callback(StopsAtStep(8))).unwrap();
    let names = || {
        let list = std::fs::read_dir(&samples).unwrap();
        let mut list: Vec<String> = list.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        list.sort();
        list
    };
    assert_eq!(names(), ["epoch_0002.png"]);
    let mut model = small_model(&data);
    model.fit(options()).unwrap();
    assert_eq!(names(), ["epoch_0002.png", "epoch_0004.png"]);
    let shown = image::open(samples.join("epoch_0004.png")).unwrap();
    assert_eq!((shown.width(), shown.height()), model.show_results(1).unwrap().as_rgb_image().dimensions());
}
