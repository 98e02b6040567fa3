//! Adversarial losses of discriminators and generators.

use serde::{Deserialize, Serialize};
use tch::{Reduction, Tensor};

use crate::error::Result;
use crate::ffi;

/// The form of the adversarial loss.
///
/// ```
/// use geolearn::loss::AdversarialLoss;
/// use geolearn::models::cyclegan::CycleGanConfig;
///
/// assert_eq!(CycleGanConfig::default().adversarial, AdversarialLoss::LeastSquares);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AdversarialLoss {
    /// Mean squared difference of the raw scores from 1 (real) or 0 (generated): LSGAN, Mao et al. 2017,
    /// arXiv:1611.04076, equation 2; the default, as in section 7.1 of the CycleGAN paper.
    #[default]
    LeastSquares,
    /// Binary cross-entropy with the scores as logits (Goodfellow et al. 2014, arXiv:1406.2661, with the non-saturating
    /// generator loss).
    BinaryCrossEntropy,
}

/// The target of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Real,
    Generated,
}

impl AdversarialLoss {
    /// Returns the loss for arcgis.learn's option `lsgan`.
    pub(crate) fn of_lsgan(on: bool) -> Self {
        if on { Self::LeastSquares } else { Self::BinaryCrossEntropy }
    }

    /// Names the form for people.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::LeastSquares => "least squares",
            Self::BinaryCrossEntropy => "binary cross-entropy",
        }
    }

    /// Returns the loss of raw scores of any shape with respect to a verdict, as a scalar.
    pub(crate) fn distance(self, scores: &Tensor, verdict: Verdict) -> Result<Tensor> {
        let target = match verdict {
            Verdict::Real => scores.f_ones_like()?,
            Verdict::Generated => scores.f_zeros_like()?,
        };
        ffi::on_one_thread(|| self.mean(scores, &target))
    }

    fn mean(self, scores: &Tensor, target: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::LeastSquares => scores.f_mse_loss(target, Reduction::Mean)?,
            Self::BinaryCrossEntropy => {
                let none = None::<Tensor>;
                scores.f_binary_cross_entropy_with_logits(target, none.as_ref(), none.as_ref(), Reduction::Mean)?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(form: AdversarialLoss, verdict: Verdict) -> f64 {
        let scores = Tensor::from_slice(&[-2.0f64, 0.5, 3.0]);
        form.distance(&scores, verdict).unwrap().double_value(&[])
    }

    /// By hand: ((-3)^2 + 0.5^2 + 2^2) / 3 and (4 + 0.25 + 9) / 3.
    #[test]
    fn least_squares() {
        assert!((loss(AdversarialLoss::LeastSquares, Verdict::Real) - 13.25 / 3.0).abs() < 1e-15);
        assert!((loss(AdversarialLoss::LeastSquares, Verdict::Generated) - 13.25 / 3.0).abs() < 1e-15);
    }

    /// torch 2.11: `F.binary_cross_entropy_with_logits(torch.tensor([-2., .5, 3.], dtype=torch.float64), torch.ones(3,
    /// dtype=torch.float64))`, then with `zeros`. A squared error of a sigmoid would be 0.3069 and 0.4364.
    #[test]
    fn cross_entropy_is_cross_entropy() {
        assert!((loss(AdversarialLoss::BinaryCrossEntropy, Verdict::Real) - BCE_REAL).abs() < 1e-14);
        assert!((loss(AdversarialLoss::BinaryCrossEntropy, Verdict::Generated) - BCE_GENERATED).abs() < 1e-14);
    }

    const BCE_REAL: f64 = 0.883_197_448_932_273_9;
    const BCE_GENERATED: f64 = 1.383_197_448_932_273_8;
}
