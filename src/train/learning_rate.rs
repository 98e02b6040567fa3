//! The learning rate of a fit: given, or to be found.

/// The learning rate of a fit: a number, or a sweep that finds it.
///
/// ```no_run
/// use geolearn::train::LearningRate;
/// use geolearn::{CycleGan, DatasetType, FitOptions, prepare_data};
///
/// let data = prepare_data("chips/", DatasetType::CycleGan)?;
/// let mut model = CycleGan::new(&data)?;
/// let history = model.fit(FitOptions::new(20).lr(LearningRate::Find))?;
/// println!("{:?}", history.epochs()[0].lr_found);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum LearningRate {
    /// A given number.
    Fixed(f64),
    /// The suggestion of [`lr_find`](crate::CycleGan::lr_find): a sweep over rates from 1e-7 to 1 runs before the first
    /// epoch, the model is restored bit for bit, and the fit uses the [suggested](crate::train::LrCurve::suggestion)
    /// rate.
    ///
    /// The sweep makes its steps like the fit, with the same Adam options, precision and
    /// [`disc_lr_ratio`](crate::FitOptions::disc_lr_ratio), and one batch for each update. The rate is stored in each
    /// [record](crate::train::EpochRecord::lr_found) of the history. A [resumed](crate::FitOptions::resume) fit uses
    /// the rate of its checkpoint without another sweep; the processes of a
    /// [distributed](crate::FitOptions::distributed) fit sweep together. If the curve suggests no rate, the fit fails.
    ///
    /// The suggestion is where the loss falls fastest at the very beginning, which is high for a whole training at a
    /// constant rate. It suits [`one_cycle`](crate::FitOptions::one_cycle), which starts below it and ends far below
    /// it.
    Find,
}

impl LearningRate {
    /// Returns the number, if one was given.
    pub(super) fn fixed(self) -> Option<f64> {
        match self {
            Self::Fixed(lr) => Some(lr),
            Self::Find => None,
        }
    }
}

impl From<f64> for LearningRate {
    fn from(lr: f64) -> Self {
        Self::Fixed(lr)
    }
}
