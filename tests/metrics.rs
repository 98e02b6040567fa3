//! Tests metrics that a caller adds to a fit, and histories with other metrics.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod common;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use common::{on_cpu, small_data, small_model};
use geolearn::metrics::{Better, Metric, MetricColumn};
use geolearn::train::{Checkpoint, EarlyStopping};
use geolearn::{DataBunch, Domain, ErrorKind, FitOptions, Result};
use tch::Tensor;

/// Returns predefined values, and records its arguments.
#[derive(Debug, Clone, Default)]
struct Scripted {
    values: VecDeque<Option<f64>>,
    better: Option<Better>,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn new(values: impl IntoIterator<Item = Option<f64>>, better: Better) -> Self {
        Self { values: values.into_iter().collect(), better: Some(better), ..Self::default() }
    }
}

impl Metric for Scripted {
    fn columns(&self) -> Vec<MetricColumn> {
        vec![MetricColumn::new("valid_scripted", self.better.unwrap())]
    }

    fn start(&mut self, data: &DataBunch) -> Result<()> {
        self.calls.lock().unwrap().push(format!("start {}", data.valid_len(Domain::A)));
        Ok(())
    }

    fn update(&mut self, to: Domain, sources: &Tensor, translations: &Tensor) -> Result<()> {
        assert_eq!(sources.size(), translations.size());
        self.calls.lock().unwrap().push(format!("{to} {}", sources.size()[0]));
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Option<f64>>> {
        self.calls.lock().unwrap().push("finish".to_string());
        Ok(vec![self.values.pop_front().unwrap()])
    }
}

fn quiet(epochs: usize) -> FitOptions {
    FitOptions::new(epochs).progress(false)
}

#[test]
fn a_metric_sees_each_validation_chip_once_in_each_direction() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path()).with_batch_size(2).unwrap();
    let metric = Scripted::new([Some(1.0), Some(f64::NAN), Some(3.0)], Better::Lower);
    let calls = metric.calls.clone();
    let mut model = small_model(&data);
    let history = model.fit(quiet(3).metric(metric)).unwrap();
    assert_eq!(history.curve("valid_scripted").unwrap(), [(1, 1.0), (3, 3.0)]);
    assert_eq!(history.curve("valid_loss").unwrap().len(), 3);
    let calls = calls.lock().unwrap();
    assert_eq!(calls[0], format!("start {}", data.valid_len(Domain::A)));
    let seen = |to: &str| {
        let sizes = calls.iter().filter_map(|call| call.strip_prefix(to)?.trim().parse::<usize>().ok());
        sizes.sum::<usize>()
    };
    assert_eq!((seen("A"), seen("B")), (3 * data.valid_len(Domain::B), 3 * data.valid_len(Domain::A)));
    assert_eq!(calls.iter().filter(|call| *call == "finish").count(), 3);
    // The next fit does not measure it.
    model.fit(quiet(1)).unwrap();
    assert_eq!(model.history().curve("valid_scripted").unwrap().len(), 2);
}

/// A metric changes only what is recorded.
#[test]
fn the_best_epoch_and_early_stopping_follow_its_direction() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    for (better, best, epochs) in [(Better::Higher, 2, 4), (Better::Lower, 3, 5)] {
        let run = folder.path().join(format!("{better:?}"));
        let metric = Scripted::new([0.3, 0.9, 0.1, 0.2, 0.5, 0.4].map(Some), better);
        let rule = EarlyStopping::default().patience(2);
        let options = quiet(6).metric(metric).monitor("valid_scripted").early_stopping(rule);
        let history = small_model(&data).fit(options.checkpoint(Checkpoint::Best).checkpoint_dir(&run)).unwrap();
        assert_eq!(history.epochs().len(), epochs);
        let kept = on_cpu::from_checkpoint(run.join("best.safetensors"), &data).unwrap();
        assert_eq!(kept.history().epochs().len(), best);
    }
}

#[test]
fn a_name_that_is_taken_and_a_wrong_number_of_values_are_refused() {
    #[derive(Debug)]
    struct Wrong(&'static [&'static str]);
    impl Metric for Wrong {
        fn columns(&self) -> Vec<MetricColumn> {
            self.0.iter().map(|name| MetricColumn::new(*name, Better::Lower)).collect()
        }
        fn update(&mut self, _: Domain, _: &Tensor, _: &Tensor) -> Result<()> {
            Ok(())
        }
        fn finish(&mut self) -> Result<Vec<Option<f64>>> {
            Ok(vec![Some(1.0)])
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    for (names, part) in [
        (&["valid_loss"][..], "valid_loss"),
        (&["cycle"], "cycle"),
        (&["valid_x", "valid_x"], "valid_x"),
        (&["valid_x", "valid_y"], "wrong number of values"),
    ] {
        let error = small_model(&data).fit(quiet(1).metric(Wrong(names))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains(part), "{error}");
    }
}

/// A caller's error must not affect checkpoints of an earlier fit.
#[test]
fn metrics_that_cannot_be_measured_are_refused_before_anything_changes() {
    #[derive(Debug)]
    struct Unready;
    impl Metric for Unready {
        fn columns(&self) -> Vec<MetricColumn> {
            vec![MetricColumn::new("valid_unready", Better::Lower)]
        }
        fn start(&mut self, _: &DataBunch) -> Result<()> {
            Err(geolearn::Error::callback("not ready"))
        }
        fn update(&mut self, _: Domain, _: &Tensor, _: &Tensor) -> Result<()> {
            Ok(())
        }
        fn finish(&mut self) -> Result<Vec<Option<f64>>> {
            Ok(vec![None])
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let run = folder.path().join("run");
    let kept = |epochs| quiet(epochs).checkpoint(Checkpoint::Last).checkpoint_dir(&run);
    small_model(&data).fit(kept(1)).unwrap();
    let before = std::fs::read(run.join("last.safetensors")).unwrap();
    let error = small_model(&data).fit(kept(1).metric(Unready)).unwrap_err();
    assert!(error.to_string().contains("not ready"), "{error}");
    assert_eq!(std::fs::read(run.join("last.safetensors")).unwrap(), before);
    assert!(!run.join("earlier_1").exists());
    // Without validation it would never be measured.
    let error = small_model(&data).fit(quiet(1).validate_every(0).metric(Unready)).unwrap_err();
    assert!(error.to_string().contains("validate_every"), "{error}");
}

/// A release with other losses or metrics must open what this one saves, and vice versa.
#[test]
fn models_with_other_losses_and_metrics_open_and_can_be_trained() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    model.fit(quiet(1)).unwrap();
    let place = model.save(folder.path().join("models/m")).unwrap();
    let definition = place.join("m.emd");
    let text = std::fs::read_to_string(&definition).unwrap();
    std::fs::write(
        &definition,
        text.replace("\"cycle\"", "\"round_trip\"").replace("\"valid_cycle\"", "\"valid_fid\""),
    )
    .unwrap();
    // Opened by its definition file, since the package beside it predates the change.
    let mut opened = on_cpu::from_model(&definition, Some(&data)).unwrap();
    let before = opened.history().clone();
    let (old_loss, old_metric) = (before.last("round_trip").unwrap(), before.last("valid_fid").unwrap());
    assert_eq!(before.last("cycle"), None);
    opened.fit(quiet(1)).unwrap();
    assert_eq!(opened.history().curve("round_trip").unwrap(), [(1, old_loss)]);
    assert_eq!(opened.history().curve("valid_fid").unwrap(), [(1, old_metric)]);
    assert_eq!(opened.history().curve("cycle").unwrap().len(), 1);
    assert_eq!(opened.history().curve("generator").unwrap().len(), 2);
    opened.plot_losses().unwrap();
    let again = opened.save(folder.path().join("models/again")).unwrap();
    assert_eq!(on_cpu::from_model(&again, None).unwrap().history(), opened.history());
}
