//! The callback that saves sample pictures.

use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Result};
use crate::store;
use crate::train::callback::{Callback, EpochReport, FitReport, Flow};
use crate::train::pictures::show_results;

/// Saves the picture of [`show_results`] every few epochs, as `epoch_0003.png` and so on, to show how the model
/// develops.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `every` | 1 | epochs between pictures | ≥ 1 |
/// | `rows` | 4 | rows of each picture | ≥ 1 |
///
/// Epochs are counted over the model's life, so a resumed or second fit continues the numbers.
///
/// ```
/// use geolearn::FitOptions;
/// use geolearn::train::SamplePictures;
///
/// let options = FitOptions::new(100).callback(SamplePictures::new("run1/samples").every(5));
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct SamplePictures {
    folder: PathBuf,
    every: usize,
    rows: usize,
}

impl SamplePictures {
    /// Creates a callback that saves into `folder`, which is created if it is missing.
    ///
    /// ```
    /// let callback = geolearn::train::SamplePictures::new("run1/samples");
    /// ```
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), every: 1, rows: 4 }
    }

    /// Sets the number of epochs between pictures. Default: 1.
    ///
    /// ```
    /// let callback = geolearn::train::SamplePictures::new("run1/samples").every(5);
    /// ```
    pub fn every(mut self, epochs: usize) -> Self {
        self.every = epochs;
        self
    }

    /// Sets the number of rows of each picture. Default: 4.
    ///
    /// ```
    /// let callback = geolearn::train::SamplePictures::new("run1/samples").rows(8);
    /// ```
    pub fn rows(mut self, rows: usize) -> Self {
        self.rows = rows;
        self
    }
}

impl Callback for SamplePictures {
    fn on_fit_start(&mut self, _: &FitReport<'_>) -> Result<Flow> {
        for (what, number) in [("epochs between sample pictures", self.every), ("rows of sample pictures", self.rows)] {
            if number == 0 {
                let error = Error::new(ErrorKind::Usage, format!("number of {what} is out of range"));
                return Err(error.expected("1 or more").found(0));
            }
        }
        store::create_dir(&self.folder)?;
        store::remove_abandoned(&self.folder);
        Ok(Flow::Continue)
    }

    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        let epoch = report.record.epoch;
        if epoch.is_multiple_of(self.every) {
            let file = self.folder.join(format!("epoch_{epoch:04}.png"));
            show_results(report.model, report.data, self.rows)?.save(file)?;
        }
        Ok(Flow::Continue)
    }
}
