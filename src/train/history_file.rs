//! The callback that writes the history to a file.

use std::path::PathBuf;

use super::callback::{Callback, EndReport, EpochReport, FitReport, Flow};
use super::history::History;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{self, Pending};

/// Writes the whole history to a file after each epoch, as [`History::to_csv`] or [`History::to_json`], depending on
/// the file extension. The folder is created if it is missing; the file is replaced only by a complete one.
///
/// After a resume it continues with the history of the checkpoint, so no epoch is missing or appears twice.
///
/// ```
/// use geolearn::FitOptions;
/// use geolearn::train::HistoryFile;
///
/// let options = FitOptions::new(20)
///     .callback(HistoryFile::new("run1/history.csv"))
///     .callback(HistoryFile::new("run1/history.json"));
/// ```
#[derive(Debug)]
#[must_use]
pub struct HistoryFile {
    path: PathBuf,
    epochs_written: usize,
}

#[derive(Clone, Copy)]
enum Form {
    Csv,
    Json,
}

impl HistoryFile {
    /// Creates a callback that writes to `path`, which ends in `.csv` or `.json`.
    ///
    /// ```
    /// let callback = geolearn::train::HistoryFile::new("run1/history.csv");
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), epochs_written: 0 }
    }

    fn form(&self) -> Result<Form> {
        let ending = self.path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("csv") => Ok(Form::Csv),
            Some("json") => Ok(Form::Json),
            _ => Err(Error::new(ErrorKind::Usage, "the format of the history does not follow from this file name")
                .at(&self.path)
                .expected(".csv or .json")),
        }
    }

    fn write(&mut self, history: &History) -> Result<()> {
        let text = match self.form()? {
            Form::Csv => history.to_csv(),
            Form::Json => history.to_json()?,
        };
        store::write(&self.path, text.as_bytes())?;
        self.epochs_written = history.epochs().len();
        Ok(())
    }
}

impl Callback for HistoryFile {
    /// Checks before the first step whether the file can be written; an older file stays as it is until the first epoch
    /// ends.
    fn on_fit_start(&mut self, report: &FitReport<'_>) -> Result<Flow> {
        self.form()?;
        if let Some(folder) = self.path.parent() {
            store::create_dir(folder)?;
        }
        store::remove_abandoned_of([self.path.as_path()]);
        drop(Pending::create(&self.path)?);
        self.epochs_written = report.history.epochs().len();
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        self.write(report.history)?;
        Ok(Flow::Continue)
    }

    /// Records the part of an epoch when a fit is stopped within it.
    fn on_fit_end(&mut self, report: &EndReport<'_>) -> Result<()> {
        if report.history.epochs().len() > self.epochs_written {
            self.write(report.history)?;
        }
        Ok(())
    }
}
