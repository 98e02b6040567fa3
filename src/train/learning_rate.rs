//! The learning rate of a fit: a number, or the wish that one be found.

/// The learning rate of a fit, or how it comes by one.
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
    /// This number.
    Fixed(f64),
    /// What [`lr_find`](crate::CycleGan::lr_find) suggests: a sweep over rates from 1e-7 to 1 runs before the first epoch, the
    /// model is put back to the bit, and the fit has the [suggested](crate::train::LrCurve::suggestion) rate.
    ///
    /// The sweep makes its steps as the fit does, with its numbers of Adam, precision and
    /// [`disc_lr_ratio`](crate::FitOptions::disc_lr_ratio), one batch an update. The rate is in each
    /// [record](crate::train::EpochRecord::lr_found) of the history. A fit that is
    /// [resumed](crate::FitOptions::resume) has that of its checkpoint and sweeps no more; processes of a
    /// [distributed](crate::FitOptions::distributed) fit sweep together. Where the curve suggests none, the fit is refused.
    ///
    /// The suggestion is where the loss falls fastest at the very beginning, which is high for a whole course at a constant
    /// rate: it suits [`one_cycle`](crate::FitOptions::one_cycle), which begins below it and ends far below it.
    Find,
}

impl LearningRate {
    /// Returns the number, where one was given.
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
