//! Adam in one fused kernel, with moments that can be named, saved and restored.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, AdamStep, AdamTensors};
use crate::nn::Parameters;

/// The numbers of Adam (Kingma and Ba 2015, arXiv:1412.6980) with decoupled weight decay
/// (Loshchilov and Hutter 2019, arXiv:1711.05101).
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `beta1` | 0.5 | decay of the first moment | [0, 1) |
/// | `beta2` | 0.999 | decay of the second moment | [0, 1) |
/// | `eps` | 1e-8 | keeps the division finite | > 0 |
/// | `weight_decay` | 0 | share of a weight, times the rate, taken off before each step | ≥ 0 |
///
/// arcgis.learn uses `beta2` 0.99 and `weight_decay` 0.01.
///
/// ```
/// let like_arcgis = geolearn::AdamOptions { beta2: 0.99, weight_decay: 0.01, ..Default::default() };
/// assert_eq!(like_arcgis.beta1, 0.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdamOptions {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Keeps the division finite.
    pub eps: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
}

impl Default for AdamOptions {
    fn default() -> Self {
        Self { beta1: 0.5, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl AdamOptions {
    pub(crate) fn check(&self) -> Result<()> {
        let share = |v: f64| (0.0..1.0).contains(&v);
        let wrong = |name: &str, range: &str, value: f64| {
            Err(Error::new(ErrorKind::Usage, format!("Adam's {name} is out of range")).expected(range).found(value))
        };
        match self {
            o if !share(o.beta1) => wrong("beta1", "[0, 1)", o.beta1),
            o if !share(o.beta2) => wrong("beta2", "[0, 1)", o.beta2),
            o if !(o.eps > 0.0 && o.eps.is_finite()) => wrong("eps", "a positive number", o.eps),
            o if !(o.weight_decay >= 0.0 && o.weight_decay.is_finite()) => {
                wrong("weight_decay", "zero or more", o.weight_decay)
            }
            _ => Ok(()),
        }
    }
}

/// The state of Adam for one list of parameters.
#[derive(Debug)]
pub(crate) struct Adam {
    names: Vec<String>,
    params: Vec<Tensor>,
    first: Vec<Tensor>,
    second: Vec<Tensor>,
    steps: Vec<Tensor>,
}

impl Adam {
    pub fn new(parameters: Parameters) -> Result<Self> {
        let (names, params): (Vec<_>, Vec<_>) = parameters.into_iter().unzip();
        let zeros =
            || tch::no_grad(|| params.iter().map(Tensor::f_zeros_like).collect::<std::result::Result<Vec<_>, _>>());
        let (first, second) = (zeros()?, zeros()?);
        // The kernel wants its step counts as f32, one for each parameter, on the parameters' device.
        let device = params.first().map_or(Device::Cpu, Tensor::device);
        let steps = params.iter().map(|_| Tensor::f_zeros([0i64; 0], (Kind::Float, device)));
        let steps = steps.collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(Self { names, params, first, second, steps })
    }

    /// Moves the parameters down the gradient of `loss`, of which nothing is accumulated.
    pub fn minimise(&mut self, loss: &Tensor, lr: f64, options: &AdamOptions) -> Result<()> {
        let mut grads = Tensor::f_run_backward(&[loss], &self.params, false, false)?;
        self.step(&mut grads, lr, options)
    }

    fn step(&mut self, grads: &mut [Tensor], lr: f64, options: &AdamOptions) -> Result<()> {
        if let Some(i) = grads.iter().position(|g| !g.defined()) {
            return Err(Error::new(ErrorKind::Torch, format!("{} has no gradient", self.names[i])));
        }
        for grad in grads.iter_mut() {
            // The kernel walks plain memory; a gradient may be a view, even an expanded scalar.
            *grad = grad.f_contiguous()?;
        }
        tch::no_grad(|| {
            let one =
                Tensor::f_ones([0i64; 0], (Kind::Float, self.params.first().map_or(Device::Cpu, Tensor::device)))?;
            self.steps.iter_mut().try_for_each(|count| count.f_add_(&one).map(|_| ()))
        })?;
        let AdamOptions { beta1, beta2, eps, weight_decay } = *options;
        let tensors = AdamTensors {
            params: &mut self.params,
            grads,
            first: &mut self.first,
            second: &mut self.second,
            steps: &mut self.steps,
        };
        ffi::fused_adamw(tensors, AdamStep { lr, beta1, beta2, weight_decay, eps })
    }

    /// Moments and step counts under the names of their parameters. Shallow: they share memory with the state.
    pub fn state(&self) -> Parameters {
        let kinds = [("exp_avg", &self.first), ("exp_avg_sq", &self.second), ("step", &self.steps)];
        kinds
            .into_iter()
            .flat_map(|(kind, list)| {
                self.names.iter().zip(list).map(move |(name, t)| (format!("{name}.{kind}"), t.shallow_clone()))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three steps on f(x) = sum(c * x^2) by the paper's algorithm 1 in plain f64.
    #[test]
    fn equals_the_algorithm_of_the_paper() {
        let (c, start) = ([0.5f64, 2.0, -1.0], [1.0f64, -2.0, 0.25]);
        let x = Tensor::from_slice(&start).set_requires_grad(true);
        let weights = Tensor::from_slice(&c);
        let options = AdamOptions { weight_decay: 0.01, ..Default::default() };
        let mut adam = Adam::new(vec![("x".into(), x.shallow_clone())]).unwrap();
        let (mut by_hand, mut m, mut v) = (start, [0.0; 3], [0.0; 3]);
        for t in 1..=3 {
            let loss = (&weights * &x * &x).sum(Kind::Double);
            adam.minimise(&loss, 0.1, &options).unwrap();
            for i in 0..3 {
                let g = 2.0 * c[i] * by_hand[i];
                by_hand[i] *= 1.0 - 0.1 * 0.01;
                m[i] = 0.5 * m[i] + 0.5 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (mh, vh) = (m[i] / (1.0 - 0.5f64.powi(t)), v[i] / (1.0 - 0.999f64.powi(t)));
                by_hand[i] -= 0.1 * mh / (vh.sqrt() + 1e-8);
            }
        }
        let got = Vec::<f64>::try_from(&x).unwrap();
        // Rounding of a dozen f64 operations on values near 1.
        got.iter().zip(by_hand).for_each(|(a, b)| assert!((a - b).abs() < 1e-13, "{a} {b}"));
    }

    /// The gradient of a sum is one number, expanded: memory of a single element.
    #[test]
    fn expanded_gradients_are_read_within_their_memory() {
        let x = Tensor::zeros([1000], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let mut adam = Adam::new(vec![("x".into(), x.shallow_clone())]).unwrap();
        adam.minimise(&x.sum(Kind::Float), 0.1, &AdamOptions::default()).unwrap();
        // The first step of Adam is the rate times the gradient's sign.
        let worst = (x.detach() + 0.1).abs().max().double_value(&[]);
        assert!(worst < 1e-6, "{worst}");
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let error = AdamOptions { beta2: 1.0, ..Default::default() }.check().unwrap_err();
        assert!(error.to_string().contains("beta2"), "{error}");
        assert!(AdamOptions::default().check().is_ok());
        assert!(AdamOptions { weight_decay: f64::NAN, ..Default::default() }.check().is_err());
    }
}
