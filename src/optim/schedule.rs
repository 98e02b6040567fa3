//! Learning rate as a pure function of progress.

use serde::{Deserialize, Serialize};

/// How the learning rate runs through a fit.
///
/// ```
/// use geolearn::Schedule;
///
/// let schedule = Schedule::ConstantThenLinear { constant: 0.5 };
/// assert_eq!(schedule.factor(0.25), 1.0);
/// assert_eq!(schedule.factor(0.75), 0.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schedule {
    /// The same rate throughout.
    Constant,
    /// Constant for the given share of the steps, then in a straight line to zero (Zhu et al. 2017,
    /// section 4).
    ConstantThenLinear {
        /// The share of the steps at the full rate, in [0, 1].
        constant: f64,
    },
}

impl Schedule {
    /// What the rate is multiplied by when the share `progress` of the steps is done; both in [0, 1].
    pub fn factor(self, progress: f64) -> f64 {
        match self {
            Self::Constant => 1.0,
            Self::ConstantThenLinear { constant } if progress < constant => 1.0,
            Self::ConstantThenLinear { constant } => {
                ((1.0 - progress) / (1.0 - constant).max(f64::EPSILON)).clamp(0.0, 1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn falls_in_a_straight_line_to_zero() {
        let schedule = Schedule::ConstantThenLinear { constant: 0.25 };
        for (progress, factor) in [(0.0, 1.0), (0.25, 1.0), (0.625, 0.5), (1.0, 0.0), (2.0, 0.0)] {
            assert!((schedule.factor(progress) - factor).abs() < 1e-12, "{progress}");
        }
        assert_eq!(Schedule::ConstantThenLinear { constant: 1.0 }.factor(0.999), 1.0);
        assert_eq!(Schedule::Constant.factor(0.9), 1.0);
    }
}
