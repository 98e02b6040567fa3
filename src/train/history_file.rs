//! Keeps the history on disk while training goes on.

use std::path::PathBuf;

use super::callback::{Callback, EndReport, EpochReport, FitReport, Flow};
use super::history::History;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{self, Pending};

/// Writes the whole history into a file after each epoch, as [`History::to_csv`] or [`History::to_json`], as the name
/// ends. The folder is made where it is missing; the file is replaced only by a whole one.
///
/// After a resume it goes on with the history of the checkpoint, so that no epoch is missing or there twice.
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
    /// Will write to `path`, which ends with `.csv` or `.json`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), epochs_written: 0 }
    }

    fn form(&self) -> Result<Form> {
        let ending = self.path.extension().unwrap_or_default().to_ascii_lowercase();
        match ending.to_str() {
            Some("csv") => Ok(Form::Csv),
            Some("json") => Ok(Form::Json),
            _ => Err(Error::new(ErrorKind::Usage, "no form of history goes by this name")
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
    /// Finds out before the first step whether the file can be written, and leaves an older one as it is until then.
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

    /// A fit that is stopped within an epoch records that part too.
    fn on_fit_end(&mut self, report: &EndReport<'_>) -> Result<()> {
        if report.history.epochs().len() > self.epochs_written {
            self.write(report.history)?;
        }
        Ok(())
    }
}
