//! The running mean of weights (Yazici et al. 2019, arXiv:1806.04498).

use tch::{Device, Kind, Tensor};

use crate::error::{Error, ErrorKind, Result};
use crate::ffi;
use crate::nn::Parameters;

/// Upper bound of the half-life as a share of the images seen so far, so that early in training the mean is not
/// dominated by the random initial weights.
const WARM_UP: f64 = 0.05;
/// The prefix of names in a checkpoint.
const PREFIX: &str = "mean.";
/// The name of the count of images in a checkpoint.
const IMAGES: &str = "mean.images";

/// An exponential moving average of weights. Its half-life counts images, so it does not depend on the batch size.
#[derive(Debug)]
pub(crate) struct RunningMean {
    names: Vec<String>,
    mean: Vec<Tensor>,
    weights: Vec<Tensor>,
    half_life: f64,
    /// Number of images averaged so far, as stored in a checkpoint.
    count: Tensor,
    /// The same number, unless it has to be read from the tensor.
    images: Option<u64>,
    /// Images seen since the last update of the weights.
    pending: u64,
}

impl RunningMean {
    /// Makes `mean`, which holds the initial values, follow `weights`. Both lists are in the same order and share
    /// memory with the networks.
    pub fn new(mean: Parameters, weights: Parameters, half_life: f64) -> Result<Self> {
        let device = weights.first().map_or(Device::Cpu, |(_, tensor)| tensor.device());
        let (names, mean) = mean.into_iter().unzip();
        let weights = weights.into_iter().map(|(_, tensor)| tensor).collect();
        let count = Tensor::f_zeros([1], (Kind::Double, device))?;
        Ok(Self { names, mean, weights, half_life, count, images: Some(0), pending: 0 })
    }

    /// Updates the mean after a step on this many images, or only counts them if the weights have not changed yet.
    pub fn follow(&mut self, images: u64, moved: bool) -> Result<()> {
        self.pending = self.pending.saturating_add(images);
        if !moved {
            return Ok(());
        }
        let before = self.images.map_or_else(|| read_count(&self.count), Ok)?;
        let new = std::mem::take(&mut self.pending);
        let all = before.saturating_add(new);
        ffi::lerp_all(&mut self.mean, &mut self.weights, share(new, all, self.half_life))?;
        let _ = self.count.f_fill_(all as f64)?;
        self.images = Some(all);
        Ok(())
    }

    /// Discards images of an update that was not made, and the cached count.
    pub fn forget(&mut self) {
        self.pending = 0;
        self.images = None;
    }

    /// Returns the mean by name, and the number of images; the tensors share memory with these.
    pub fn state(&self) -> Parameters {
        let mut list: Parameters =
            self.names.iter().zip(&self.mean).map(|(name, t)| (format!("{PREFIX}{name}"), t.shallow_clone())).collect();
        list.push((IMAGES.to_string(), self.count.shallow_clone()));
        list
    }

    /// Checks that a state holds a number of images where [`state`](Self::state) puts one.
    pub fn check(state: &[(String, Tensor)]) -> Result<()> {
        state.iter().find(|(name, _)| name == IMAGES).map_or(Ok(()), |(_, count)| read_count(count).map(drop))
    }
}

fn read_count(tensor: &Tensor) -> Result<u64> {
    let wrong = || Error::new(ErrorKind::Format, format!("{IMAGES} is not a number of images"));
    if tensor.size() != [1] {
        return Err(wrong().expected("one number").found(format!("{:?}", tensor.size())));
    }
    let count = tensor.f_double_value(&[0])?;
    // Integers up to this one are exact.
    if count.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&count) {
        return Ok(count as u64);
    }
    Err(wrong().found(count))
}

/// Returns the weight of the new value after `new` images, with a total of `all` including them.
fn share(new: u64, all: u64, half_life: f64) -> f64 {
    let half_life = half_life.min(WARM_UP * all as f64);
    1.0 - 0.5f64.powf(new as f64 / half_life)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_of(start: f64, half_life: f64) -> (RunningMean, Tensor, Tensor) {
        let list = |tensor: &Tensor| vec![("w".to_string(), tensor.shallow_clone())];
        let (mean, weights) = (Tensor::from_slice(&[start]), Tensor::from_slice(&[start]));
        (RunningMean::new(list(&mean), list(&weights), half_life).unwrap(), mean, weights)
    }

    /// Returns one that has already seen this many images.
    fn old_mean(images: f64) -> (RunningMean, Tensor, Tensor) {
        let (mut running, mean, weights) = mean_of(0.0, 64.0);
        let _ = running.count.fill_(images);
        running.forget();
        let _ = weights.shallow_clone().fill_(1.0);
        (running, mean, weights)
    }

    /// The formula in plain f64 over 200 steps in batches of 3; 1e-14 is the rounding of values near 1.
    #[test]
    fn equals_the_formula() {
        let (mut running, mean, weights) = mean_of(1.0, 40.0);
        let mut expected = 1.0;
        for step in 1..=200 {
            let value = f64::from(step).sin();
            let _ = weights.shallow_clone().fill_(value);
            running.follow(3, true).unwrap();
            let half_life = 40f64.min(0.05 * 3.0 * f64::from(step));
            let decay = 0.5f64.powf(3.0 / half_life);
            expected = decay * expected + (1.0 - decay) * value;
            assert!((mean.double_value(&[0]) - expected).abs() < 1e-14, "step {step}");
        }
    }

    /// After the warm-up, one half-life of images covers half of the distance, in steps of any size.
    #[test]
    fn the_half_life_counts_images() {
        for batch in [1, 4, 16] {
            let (mut running, mean, _weights) = old_mean(1e6);
            (0..64 / batch).for_each(|_| running.follow(batch, true).unwrap());
            assert!((mean.double_value(&[0]) - 0.5).abs() < 1e-12, "batches of {batch}");
        }
    }

    /// At the first update, less than a millionth of the initial value is left.
    #[test]
    fn the_initial_weights_are_soon_forgotten() {
        assert!(share(1, 1, 1e4) > 0.999_998);
        assert!(share(1, 1_000_000, 1e4) < 1e-4);
    }

    #[test]
    fn steps_without_an_update_are_counted_with_the_next() {
        let (mut whole, expected, _weights) = old_mean(5000.0);
        whole.follow(4, true).unwrap();
        let (mut parts, mean, _weights) = old_mean(5000.0);
        parts.follow(9, false).unwrap();
        // From an update that was not made.
        parts.forget();
        parts.follow(3, false).unwrap();
        assert_eq!(mean.double_value(&[0]), 0.0);
        parts.follow(1, true).unwrap();
        assert_eq!(mean, expected);
    }

    #[test]
    fn only_whole_numbers_of_images_are_taken_from_a_state() {
        let (running, ..) = old_mean(12_345.0);
        RunningMean::check(&running.state()).unwrap();
        RunningMean::check(&[]).unwrap();
        for wrong in [&[-1.0][..], &[0.5], &[1e300], &[f64::NAN], &[1.0, 2.0], &[]] {
            let error = RunningMean::check(&[(IMAGES.to_string(), Tensor::from_slice(wrong))]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Format, "{wrong:?}");
        }
    }
}
