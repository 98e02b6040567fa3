//! Tests that the history on disk equals the history in memory.
#![allow(clippy::unwrap_used, reason = "helpers of a test")]

mod common;

use std::path::Path;
use std::sync::{Arc, Mutex};

use common::{small_data, small_model};
use geolearn::train::{Callback, Checkpoint, EpochRecord, EpochReport, Flow, History, HistoryFile};
use geolearn::{ErrorKind, FitOptions, Result};

fn written_to(folder: &Path) -> FitOptions {
    FitOptions::new(4)
        .progress(false)
        .validate_every(2)
        .callback(HistoryFile::new(folder.join("run/history.csv")))
        .callback(HistoryFile::new(folder.join("run/history.JSON")))
}

/// Parses the table as a reader would; all names are plain.
fn parsed(csv: &str) -> Vec<EpochRecord> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    assert_eq!(header[..6], ["epoch", "lr", "steps", "seconds", "precision", "generator"]);
    let first_metric = header.iter().position(|name| name.starts_with("valid_")).unwrap();
    let number = |cell: &str| cell.parse::<f64>().unwrap();
    let record = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), header.len());
        let losses = cells[5..first_metric].iter().map(|cell| number(cell)).collect();
        let (epoch, steps) = (cells[0].parse().unwrap(), cells[2].parse().unwrap());
        let mut record = EpochRecord::new(epoch, number(cells[1]), losses, steps, number(cells[3]));
        record.precision = (!cells[4].is_empty()).then(|| serde_json::from_value(cells[4].into()).unwrap());
        let measured = cells[first_metric..].iter().filter(|cell| !cell.is_empty());
        record.metrics = measured.map(|cell| Some(number(cell))).collect();
        record
    };
    lines.map(record).collect()
}

fn assert_written(folder: &Path, history: &History) {
    let csv = std::fs::read_to_string(folder.join("run/history.csv")).unwrap();
    assert_eq!(parsed(&csv), history.epochs());
    let json = std::fs::read_to_string(folder.join("run/history.JSON")).unwrap();
    assert_eq!(&serde_json::from_str::<History>(&json).unwrap(), history);
    assert_eq!(std::fs::read_dir(folder.join("run")).unwrap().count(), 2, "nothing half written is left");
}

#[test]
fn files_hold_every_epoch_to_the_last_bit() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = small_model(&small_data(folder.path()));
    model.fit(written_to(folder.path())).unwrap();
    assert_written(folder.path(), model.history());
    assert!(model.history().epochs()[0].metrics.is_empty() && !model.history().epochs()[1].metrics.is_empty());
    // A second fit appends to the record of the first.
    model.fit(written_to(folder.path())).unwrap();
    assert_eq!(model.history().epochs().len(), 8);
    assert_written(folder.path(), model.history());
}

struct StopsAfter(usize);

impl Callback for StopsAfter {
    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        Ok(if report.epoch == self.0 { Flow::Stop } else { Flow::Continue })
    }
}

#[test]
fn a_resumed_fit_continues_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let options = || {
        let kept = folder.path().join("checkpoints");
        written_to(folder.path()).checkpoint(Checkpoint::Last).checkpoint_dir(kept).resume(true)
    };
    let mut first = small_model(&data);
    first.fit(options().callback(StopsAfter(2))).unwrap();
    assert_written(folder.path(), first.history());
    let mut second = small_model(&data);
    second.fit(options()).unwrap();
    assert_eq!(second.history().epochs().len(), 4);
    assert_written(folder.path(), second.history());
}

#[test]
fn an_unusable_path_is_reported_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let mut model = small_model(&small_data(folder.path()));
    let occupied = folder.path().join("file");
    std::fs::write(&occupied, "").unwrap();
    for (path, kind) in [
        (folder.path().join("history.txt"), ErrorKind::Usage),
        (folder.path().join("history"), ErrorKind::Usage),
        (occupied.join("history.csv"), ErrorKind::Io),
    ] {
        let error = model.fit(FitOptions::new(1).progress(false).callback(HistoryFile::new(&path))).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.path().is_some_and(|named| path.starts_with(named)), "{error}");
        assert!(model.history().epochs().is_empty());
    }
}

/// Fails once, in this epoch, before the callbacks added after it are called.
struct FailsIn(usize);

impl Callback for FailsIn {
    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        match report.epoch == self.0 {
            true => Err(geolearn::Error::callback("not now")),
            false => Ok(Flow::Continue),
        }
    }
}

/// Records the epochs it is called for.
struct Notes(Arc<Mutex<Vec<usize>>>);

impl Callback for Notes {
    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        assert_eq!(report.history.epochs().len(), report.record.epoch);
        self.0.lock().unwrap().push(report.epoch);
        Ok(Flow::Continue)
    }
}

/// The checkpoint of an epoch exists, but the callbacks after the failed one were not called for it: the last epoch of
/// the fit, or an earlier one.
#[test]
fn an_unreported_epoch_is_reported_on_resume() {
    for failing in [4, 2] {
        let folder = tempfile::tempdir().unwrap();
        let data = small_data(folder.path());
        let told = Arc::<Mutex<Vec<usize>>>::default();
        let kept = || FitOptions::new(4).progress(false).validate_every(2).checkpoint(Checkpoint::Last);
        let options = || kept().checkpoint_dir(folder.path().join("checkpoints")).resume(true);
        let rest = |options: FitOptions| {
            let csv = HistoryFile::new(folder.path().join("run/history.csv"));
            let json = HistoryFile::new(folder.path().join("run/history.JSON"));
            let tensorboard = geolearn::train::TensorBoard::new(folder.path().join("board")).pictures_every(0);
            let pictures = geolearn::train::SamplePictures::new(folder.path().join("samples")).rows(1);
            let notes = Notes(Arc::clone(&told));
            options.callback(csv).callback(json).callback(tensorboard).callback(pictures).callback(notes)
        };
        let mut first = small_model(&data);
        assert_eq!(first.fit(rest(options().callback(FailsIn(failing)))).unwrap_err().kind(), ErrorKind::Callback);
        assert_eq!(*told.lock().unwrap(), (1..failing).collect::<Vec<_>>());
        let mut second = small_model(&data);
        second.fit(rest(options())).unwrap();
        assert_eq!(*told.lock().unwrap(), [1, 2, 3, 4]);
        assert_written(folder.path(), second.history());
        assert!((1..5).all(|epoch| folder.path().join(format!("samples/epoch_{epoch:04}.png")).exists()));
        // All callbacks were called, so nothing is repeated.
        small_model(&data).fit(rest(options())).unwrap();
        assert_eq!(told.lock().unwrap().len(), 4);
    }
}
