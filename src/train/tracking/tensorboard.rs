//! The callback that writes losses, metrics and sample pictures for TensorBoard.

use std::path::PathBuf;

use super::event::{Shown, Value, What};
use super::event_file::EventFile;
use crate::error::{Error, ErrorKind, Result};
use crate::train::callback::{Callback, EndReport, EpochReport, FitReport, Flow, StepReport};
use crate::train::history::{EpochRecord, History};
use crate::train::options::FitOptions;
use crate::train::pictures::show_results;

/// Writes an event file that TensorBoard shows during training: `tensorboard --logdir FOLDER`.
///
/// | Tag | What | By |
/// |---|---|---|
/// | `train/` and a loss, `train/lr` | losses and learning rate as they are read: each step on the processor, one in 20 on CUDA | step of the model's life |
/// | `epoch/` and a loss, `epoch/lr` | means of an epoch, learning rate at its end | epoch of the model's life |
/// | `valid/` and a measure | measures on the validation pairs | epoch |
/// | `results` | what [`show_results`] draws | epoch |
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `pictures_every` | 1 | epochs between pictures; 0 for none | ≥ 0 |
/// | `rows` | 3 | rows of each picture | ≥ 1 |
///
/// Each fit, and each resumed one, starts its own file, which TensorBoard combines with the others in the folder.
/// Entries for steps that are repeated, after a checkpoint or by a new model, are replaced when the server combines the
/// files; tags by epoch may keep both the value of an epoch in which the fit was stopped and the final one. To compare
/// runs, use a separate folder for each. Numbers are rounded to f32, as in TensorBoard;
/// [`HistoryFile`](crate::train::HistoryFile) does not round.
///
/// ```
/// use geolearn::FitOptions;
/// use geolearn::train::TensorBoard;
///
/// let options = FitOptions::new(20).callback(TensorBoard::new("runs/first").pictures_every(5));
/// let plain = FitOptions::new(20).tensorboard("runs/first");
/// ```
#[derive(Debug)]
#[must_use]
pub struct TensorBoard {
    folder: PathBuf,
    pictures_every: usize,
    rows: usize,
    file: Option<EventFile>,
    epochs_written: usize,
}

impl TensorBoard {
    /// Creates a callback that writes to `folder`, which is created if it is missing.
    ///
    /// ```
    /// let callback = geolearn::train::TensorBoard::new("run1/events");
    /// ```
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), pictures_every: 1, rows: 3, file: None, epochs_written: 0 }
    }

    /// Sets the number of epochs between pictures; 0 leaves them out. Default: 1.
    ///
    /// ```
    /// let callback = geolearn::train::TensorBoard::new("run1/events").pictures_every(5);
    /// ```
    pub fn pictures_every(mut self, epochs: usize) -> Self {
        self.pictures_every = epochs;
        self
    }

    /// Sets the number of rows of each picture. Default: 3.
    ///
    /// ```
    /// let callback = geolearn::train::TensorBoard::new("run1/events").rows(8);
    /// ```
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }

    fn file(&mut self) -> Result<&mut EventFile> {
        self.file
            .as_mut()
            .ok_or_else(|| Error::new(ErrorKind::Usage, "TensorBoard was called for a fit that has not started"))
    }

    fn write_epoch(&mut self, record: &EpochRecord, history: &History) -> Result<()> {
        let losses = history.names().iter().map(|name| format!("epoch/{name}")).zip(&record.losses);
        let measure = |name: &String| format!("valid/{}", name.strip_prefix("valid_").unwrap_or(name));
        let measures = history.metric_names().iter().zip(&record.metrics);
        let measures = measures.filter_map(|(name, value)| Some((measure(name), value.as_ref()?)));
        let scalars = losses.chain([("epoch/lr".to_string(), &record.lr)]).chain(measures);
        self.file()?.write_scalars(record.epoch as u64, scalars)?;
        self.epochs_written = history.epochs().len();
        Ok(())
    }

    fn write_picture(&mut self, report: &EpochReport<'_>) -> Result<()> {
        let picture = show_results(report.model, report.data, self.rows)?;
        let (width, height) = picture.as_rgb_image().dimensions();
        let shown = Shown::Image { height, width, png: picture.to_png()? };
        let value = Value { tag: "results".to_string(), shown };
        self.file()?.write(report.record.epoch as u64, What::Summary(vec![value]))
    }
}

impl Callback for TensorBoard {
    fn on_fit_start(&mut self, report: &FitReport<'_>) -> Result<Flow> {
        if self.pictures_every > 0 && self.rows == 0 {
            return Err(Error::new(ErrorKind::Usage, "a picture needs rows").expected("1 or more").found(0));
        }
        let mut file = EventFile::create(&self.folder)?;
        // The history contains complete epochs only.
        let of_part = report.steps_done.saturating_sub(report.epochs_done.saturating_mul(report.steps_per_epoch));
        let steps_in_life = report.history.steps().saturating_add(of_part as u64);
        file.write(steps_in_life.saturating_add(1), What::Restart)?;
        self.epochs_written = report.history.epochs().len();
        self.file = Some(file);
        Ok(Flow::Continue)
    }

    fn on_step(&mut self, report: &StepReport<'_>) -> Result<Flow> {
        let losses = report.names.iter().map(|name| format!("train/{name}")).zip(report.losses);
        let scalars = losses.chain([("train/lr".to_string(), &report.lr)]);
        self.file()?.write_scalars(report.steps_in_life, scalars)?;
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        self.write_epoch(report.record, report.history)?;
        if self.pictures_every > 0 && report.record.epoch.is_multiple_of(self.pictures_every) {
            self.write_picture(report)?;
        }
        self.file()?.flush()?;
        Ok(Flow::Continue)
    }

    /// Records the part of an epoch when a fit is stopped within it.
    fn on_fit_end(&mut self, report: &EndReport<'_>) -> Result<()> {
        for record in report.history.epochs().iter().skip(self.epochs_written) {
            self.write_epoch(record, report.history)?;
        }
        self.file()?.flush()
    }
}

impl FitOptions {
    /// Adds a [`TensorBoard`] callback with its defaults: `tensorboard --logdir FOLDER` shows losses, metrics and
    /// pictures during training.
    ///
    /// ```
    /// let options = geolearn::FitOptions::new(20).tensorboard("runs/first");
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "tensorboard")))]
    pub fn tensorboard(self, folder: impl Into<PathBuf>) -> Self {
        self.callback(TensorBoard::new(folder))
    }
}
