//! Spectral normalization of weights (Miyato et al. 2018, arXiv:1802.05957, algorithm 1).

use tch::Tensor;

use super::parameters::{Parameters, copied};
use crate::error::Result;
use crate::ffi;
use crate::random::Seed;

/// Like PyTorch: steps of the power iteration before the first use, and the lower bound of lengths that are divided by.
const FIRST_ITERATIONS: usize = 15;
const EPSILON: f64 = 1e-12;

/// Estimates a weight's largest singular value with the singular vectors `u` and `v` of the weight as a matrix that has
/// one row for each output.
#[derive(Debug)]
pub(crate) struct SpectralNorm {
    name: String,
    seed: Seed,
    u: Tensor,
    v: Tensor,
}

impl SpectralNorm {
    /// Draws the initial vectors from a stream of `seed` under the layer's name.
    pub fn new(name: &str, seed: Seed, weight: &Tensor) -> Result<Self> {
        let blank = |length: i64| weight.f_detach()?.f_new_zeros([length], (weight.kind(), weight.device()));
        let (rows, columns) = shape(weight);
        let norm = Self { name: name.to_string(), seed, u: blank(rows)?, v: blank(columns)? };
        norm.restart(weight)?;
        Ok(norm)
    }

    /// Starts over, for another weight.
    pub fn restart(&self, weight: &Tensor) -> Result<()> {
        let mut stream = self.seed.stream(&format!("{}.spectral", self.name), 0);
        let drawn = [&self.u, &self.v].map(|vector| stream.normals(vector.numel()));
        for (vector, values) in [&self.u, &self.v].into_iter().zip(drawn) {
            let values = Tensor::f_from_slice(&values)?;
            vector.shallow_clone().f_copy_(&unit(&values)?)?;
        }
        (0..FIRST_ITERATIONS).try_for_each(|_| self.iterate(weight))
    }

    /// Makes one step of the power iteration, after the weight has changed.
    pub fn iterate(&self, weight: &Tensor) -> Result<()> {
        tch::no_grad(|| {
            let matrix = matrix(weight)?;
            self.u.shallow_clone().f_copy_(&unit(&matrix.f_mv(&self.v)?)?)?;
            self.v.shallow_clone().f_copy_(&unit(&matrix.f_tr()?.f_mv(&self.u)?)?)?;
            Ok(())
        })
    }

    /// Divides the weight by the estimate of its largest singular value, u' W v; gradients flow through both.
    pub fn applied(&self, weight: &Tensor) -> Result<Tensor> {
        // bfloat16 would round the sums.
        ffi::without_autocast(weight.device(), || {
            // Copied, because a later iteration overwrites what autograd keeps.
            let (u, v) = (copied(&self.u, self.u.device())?, copied(&self.v, self.v.device())?);
            let sigma = u.f_dot(&matrix(weight)?.f_mv(&v)?)?;
            Ok(weight.f_divide(&sigma)?)
        })
    }

    /// Adds both vectors under names derived from the layer's; they share memory.
    pub fn collect(&self, into: &mut Parameters) {
        into.push((format!("{}.u", self.name), self.u.shallow_clone()));
        into.push((format!("{}.v", self.name), self.v.shallow_clone()));
    }
}

/// Returns rows and columns of the weight as a matrix.
fn shape(weight: &Tensor) -> (i64, i64) {
    let rows = weight.size().first().copied().unwrap_or(1).max(1);
    (rows, weight.numel() as i64 / rows)
}

fn matrix(weight: &Tensor) -> Result<Tensor> {
    let (rows, columns) = shape(weight);
    Ok(weight.f_reshape([rows, columns])?)
}

/// Scales a vector to length 1.
fn unit(vector: &Tensor) -> Result<Tensor> {
    Ok(vector.f_divide(&ffi::at_least(&vector.f_norm()?, EPSILON)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind};

    fn weight() -> Tensor {
        (Tensor::arange(8 * 3 * 16, (Kind::Double, Device::Cpu)) * 0.37).sin().view([8, 3, 4, 4]) * 0.3
    }

    /// Compared with libtorch's singular values. Sixty steps bring the estimate within 1e-6 of the largest one; it
    /// never exceeds it.
    #[test]
    fn the_estimate_converges_to_the_largest_singular_value() {
        let weight = weight();
        let norm = SpectralNorm::new("layer", Seed(1), &weight).unwrap();
        let largest = weight.view([8, 48]).svd(true, false).1.max().double_value(&[]);
        let sigma = || (weight.norm() / norm.applied(&weight).unwrap().norm()).double_value(&[]);
        let early = sigma();
        (0..60).for_each(|_| norm.iterate(&weight).unwrap());
        assert!((sigma() / largest - 1.0).abs() < 1e-6, "{} of {largest}", sigma());
        assert!(early > 0.7 * largest && early < largest * (1.0 + 1e-12), "{early} of {largest}");
    }

    #[test]
    fn the_same_seed_starts_equal_and_applying_changes_nothing() {
        let state = |norm: &SpectralNorm| {
            let mut list = Parameters::new();
            norm.collect(&mut list);
            list.into_iter().map(|(name, tensor)| (name, tensor.copy())).collect::<Vec<_>>()
        };
        let (weight, new) = (weight(), |seed| SpectralNorm::new("layer", Seed(seed), &weight()).unwrap());
        let norm = new(1);
        let before = state(&norm);
        assert_eq!(before, state(&new(1)));
        assert_ne!(before, state(&new(2)));
        let _ = norm.applied(&weight).unwrap();
        assert_eq!(state(&norm), before);
        norm.iterate(&weight).unwrap();
        assert_ne!(state(&norm), before);
        norm.restart(&weight).unwrap();
        assert_eq!(state(&norm), before);
    }

    /// Weights that will be loaded are zeros.
    #[test]
    fn zeros_are_handled() {
        let norm = SpectralNorm::new("layer", Seed(1), &weight().zeros_like()).unwrap();
        norm.restart(&weight()).unwrap();
        assert_eq!(norm.applied(&weight()).unwrap().isfinite().all().int64_value(&[]), 1);
    }
}
