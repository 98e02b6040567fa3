//! Learning-rate schedules as pure functions of progress.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The course of the learning rate over a fit.
///
/// ```
/// use geolearn::optim::{OneCycle, Schedule};
///
/// let schedule = Schedule::ConstantThenLinear { constant: 0.5 };
/// assert_eq!(schedule.at(0.25).factor, 1.0);
/// assert_eq!(schedule.at(0.75).factor, 0.5);
/// let like_arcgis = Schedule::OneCycle(OneCycle::default());
/// assert_eq!(like_arcgis.at(0.3).beta1, Some(0.85));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Schedule {
    /// The same rate throughout.
    Constant,
    /// Constant for the given share of the steps, then linear to zero (Zhu et al. 2017, section 4).
    ConstantThenLinear {
        /// The share of the steps at the full rate, in [0, 1].
        constant: f64,
    },
    /// Up to the full rate and down again, while `beta1` moves in the opposite direction.
    OneCycle(OneCycle),
}

/// Options of the one-cycle schedule (Smith 2018, arXiv:1803.09820), with cosine annealing as in arcgis.learn's
/// trainer.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `rise` | 0.3 | share of the steps in which the rate rises; cut to whole steps | (0, 1) |
/// | `start_divisor` | 25 | the first rate is the full one divided by this | ≥ 1 |
/// | `end_divisor` | 250,000 | so is the one that the last step approaches | ≥ 1 |
/// | `beta1` | 0.95 to 0.85 | `beta1` at the ends and at the full rate, in place of Adam's own; none leaves Adam's | [0, 1) |
///
/// The defaults are arcgis.learn's. The published recipe trains CycleGANs with a `beta1` of 0.5; `beta1: None` keeps
/// it.
///
/// ```
/// use geolearn::optim::OneCycle;
///
/// let gentle = OneCycle::default().beta1(None);
/// assert_eq!(gentle.rise, 0.3);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
#[non_exhaustive]
pub struct OneCycle {
    /// Share of the steps in which the rate rises.
    pub rise: f64,
    /// The full rate divided by the first.
    pub start_divisor: f64,
    /// The full rate divided by the last.
    pub end_divisor: f64,
    /// `beta1` at the ends, and at the full rate.
    pub beta1: Option<(f64, f64)>,
}

impl Default for OneCycle {
    fn default() -> Self {
        Self { rise: 0.3, start_divisor: 25.0, end_divisor: 25.0 * 1e4, beta1: Some((0.95, 0.85)) }
    }
}

impl OneCycle {
    /// Sets the share of the steps in which the rate rises. Default: 0.3.
    ///
    /// ```
    /// let cycle = geolearn::optim::OneCycle::default().rise(0.25);
    /// ```
    pub fn rise(mut self, share: f64) -> Self {
        self.rise = share;
        self
    }

    /// Sets the divisor of the full rate at the start. Default: 25.
    ///
    /// ```
    /// let cycle = geolearn::optim::OneCycle::default().start_divisor(10.0);
    /// ```
    pub fn start_divisor(mut self, divisor: f64) -> Self {
        self.start_divisor = divisor;
        self
    }

    /// Sets the divisor of the full rate at the end. Default: 250,000.
    ///
    /// ```
    /// let cycle = geolearn::optim::OneCycle::default().end_divisor(1e4);
    /// ```
    pub fn end_divisor(mut self, divisor: f64) -> Self {
        self.end_divisor = divisor;
        self
    }

    /// Sets `beta1` at the ends and at the full rate; `None` keeps Adam's own. Default: 0.95 and 0.85.
    ///
    /// ```
    /// // Keeps the `beta1` of Adam.
    /// let cycle = geolearn::optim::OneCycle::default().beta1(None);
    /// ```
    pub fn beta1(mut self, ends_and_full: Option<(f64, f64)>) -> Self {
        self.beta1 = ends_and_full;
        self
    }
}

/// The values of a [`Schedule`] at one moment.
///
/// ```
/// use geolearn::optim::Schedule;
///
/// let rate = Schedule::Constant.at(0.5);
/// assert_eq!((rate.factor, rate.beta1), (1.0, None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Rate {
    /// Factor of the full learning rate.
    pub factor: f64,
    /// Adam's `beta1`, if the schedule sets it.
    pub beta1: Option<f64>,
}

impl Schedule {
    /// Returns the rate after the share `progress` of the steps, in [0, 1].
    ///
    /// ```
    /// use geolearn::optim::Schedule;
    ///
    /// let schedule = Schedule::ConstantThenLinear { constant: 0.5 };
    /// assert_eq!(schedule.at(0.75).factor, 0.5);
    /// ```
    pub fn at(self, progress: f64) -> Rate {
        let plain = |factor| Rate { factor, beta1: None };
        match self {
            Self::Constant => plain(1.0),
            Self::ConstantThenLinear { constant } if progress < constant => plain(1.0),
            Self::ConstantThenLinear { constant } => {
                plain(((1.0 - progress) / (1.0 - constant).max(f64::EPSILON)).clamp(0.0, 1.0))
            }
            Self::OneCycle(cycle) => cycle.at(progress),
        }
    }

    /// Returns the rate of step `step` (from 0) of `steps`. The rise of a one-cycle schedule then takes a whole number
    /// of steps.
    ///
    /// ```
    /// use geolearn::optim::Schedule;
    ///
    /// assert_eq!(Schedule::Constant.at_step(5, 10).factor, 1.0);
    /// ```
    pub fn at_step(self, step: u64, steps: u64) -> Rate {
        let steps = steps.max(1) as f64;
        let whole = |rise: f64| (rise * steps).floor().max(1.0) / steps;
        let schedule = match self {
            Self::OneCycle(cycle) => Self::OneCycle(OneCycle { rise: whole(cycle.rise), ..cycle }),
            other => other,
        };
        schedule.at(step as f64 / steps)
    }

    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |what: &str, expected: &str, found: f64| {
            Err(Error::new(ErrorKind::Usage, format!("{what} of the schedule is out of range"))
                .expected(expected)
                .found(found))
        };
        match *self {
            Self::ConstantThenLinear { constant } if !(0.0..=1.0).contains(&constant) => {
                wrong("constant share", "[0, 1]", constant)
            }
            Self::OneCycle(c) if !(c.rise > 0.0 && c.rise < 1.0) => wrong("rise", "above 0 and below 1", c.rise),
            Self::OneCycle(c) if !(c.start_divisor >= 1.0 && c.start_divisor.is_finite()) => {
                wrong("start_divisor", "1 or more", c.start_divisor)
            }
            Self::OneCycle(c) if !(c.end_divisor >= 1.0 && c.end_divisor.is_finite()) => {
                wrong("end_divisor", "1 or more", c.end_divisor)
            }
            Self::OneCycle(OneCycle { beta1: Some((ends, full)), .. })
                if !((0.0..1.0).contains(&ends) && (0.0..1.0).contains(&full)) =>
            {
                wrong("beta1", "[0, 1)", ends.max(full))
            }
            _ => Ok(()),
        }
    }
}

impl OneCycle {
    fn at(self, progress: f64) -> Rate {
        let Self { rise, start_divisor, end_divisor, beta1 } = self;
        let rising = progress < rise;
        let share = if rising { progress / rise } else { (progress - rise) / (1.0 - rise) };
        let share = share.clamp(0.0, 1.0);
        let factor = match rising {
            true => along_cosine(1.0 / start_divisor, 1.0, share),
            false => along_cosine(1.0, 1.0 / end_divisor, share),
        };
        let beta1 = beta1.map(|(ends, full)| match rising {
            true => along_cosine(ends, full, share),
            false => along_cosine(full, ends, share),
        });
        Rate { factor, beta1 }
    }
}

/// Interpolates from `start` to `end` along half a cosine.
fn along_cosine(start: f64, end: f64, share: f64) -> f64 {
    end + (start - end) / 2.0 * ((PI * share).cos() + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Tolerance, fixture};

    #[test]
    fn falls_in_a_straight_line_to_zero() {
        let schedule = Schedule::ConstantThenLinear { constant: 0.25 };
        for (progress, factor) in [(0.0, 1.0), (0.25, 1.0), (0.625, 0.5), (1.0, 0.0), (2.0, 0.0)] {
            assert!((schedule.at(progress).factor - factor).abs() < 1e-12, "{progress}");
        }
        assert_eq!(Schedule::ConstantThenLinear { constant: 1.0 }.at(0.999).factor, 1.0);
        assert_eq!(Schedule::Constant.at(0.9), Rate { factor: 1.0, beta1: None });
    }

    /// Learning rate and beta1 of 20 steps, as computed by fastai 1.0.61 for arcgis.learn; see the fixtures' README.
    #[test]
    fn one_cycle_is_that_of_arcgis() {
        let text = std::fs::read(fixture("golden/onecycle_schedule_n20_lr2e-4.json")).unwrap();
        let expected: Vec<(f64, f64)> = serde_json::from_slice(&text).unwrap();
        assert_eq!(expected.len(), 20);
        // A few roundings of f64.
        let tolerance = Tolerance { abs: 0.0, rel: 1e-14 };
        for (step, (lr, beta1)) in expected.into_iter().enumerate() {
            let rate = Schedule::OneCycle(OneCycle::default()).at_step(step as u64, 20);
            tolerance.number(&format!("lr of step {step}"), 2e-4 * rate.factor, lr);
            tolerance.number(&format!("beta1 of step {step}"), rate.beta1.unwrap(), beta1);
        }
    }

    /// The rise takes whole steps: two of 7 steps, because 0.3 * 7 is 2.1.
    #[test]
    fn a_rise_lasts_whole_steps() {
        let schedule = Schedule::OneCycle(OneCycle::default());
        assert_eq!(schedule.at_step(2, 7).factor, 1.0);
        assert!(schedule.at_step(1, 7).factor < 1.0 && schedule.at_step(3, 7).factor < 1.0);
        assert!(schedule.at_step(0, 1).factor.is_finite());
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let cycle = OneCycle::default();
        for (schedule, part) in [
            (Schedule::ConstantThenLinear { constant: 2.0 }, "constant share"),
            (Schedule::OneCycle(OneCycle { rise: 1.0, ..cycle }), "rise"),
            (Schedule::OneCycle(OneCycle { start_divisor: 0.0, ..cycle }), "start_divisor"),
            (Schedule::OneCycle(OneCycle { end_divisor: f64::NAN, ..cycle }), "end_divisor"),
            (Schedule::OneCycle(OneCycle { beta1: Some((1.0, 0.5)), ..cycle }), "beta1"),
        ] {
            assert!(schedule.check().unwrap_err().to_string().contains(part), "{part}");
        }
        assert!(Schedule::OneCycle(cycle).check().is_ok());
    }
}
