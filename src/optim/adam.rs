//! Adam in one fused kernel, with named moments that can be saved and restored.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, AdamStep, AdamTensors};
use crate::nn::Parameters;
use crate::peers::{self, Peers, PendingGradients};

/// Options of Adam (Kingma and Ba 2015, arXiv:1412.6980) with decoupled weight decay (Loshchilov and Hutter 2019,
/// arXiv:1711.05101).
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
/// let like_arcgis = geolearn::optim::AdamOptions::default().beta2(0.99).weight_decay(0.01);
/// assert_eq!(like_arcgis.beta1, 0.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
#[non_exhaustive]
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
    /// Sets the decay of the first moment. Default: 0.5.
    ///
    /// ```
    /// let options = geolearn::optim::AdamOptions::default().beta1(0.9);
    /// ```
    pub fn beta1(mut self, beta1: f64) -> Self {
        self.beta1 = beta1;
        self
    }

    /// Sets the decay of the second moment. Default: 0.999.
    ///
    /// ```
    /// let options = geolearn::optim::AdamOptions::default().beta2(0.99);
    /// ```
    pub fn beta2(mut self, beta2: f64) -> Self {
        self.beta2 = beta2;
        self
    }

    /// Sets the term that keeps the division finite. Default: 1e-8.
    ///
    /// ```
    /// let options = geolearn::optim::AdamOptions::default().eps(1e-7);
    /// ```
    pub fn eps(mut self, eps: f64) -> Self {
        self.eps = eps;
        self
    }

    /// Sets the decoupled weight decay. Default: 0.
    ///
    /// ```
    /// let options = geolearn::optim::AdamOptions::default().weight_decay(0.01);
    /// ```
    pub fn weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

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

/// How a gradient is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update<'a> {
    pub lr: f64,
    pub adam: AdamOptions,
    /// Factor of the loss before its gradient is taken.
    pub share: f64,
    /// Whether the parameters are updated now; otherwise the gradient is kept and added to the next one.
    pub now: bool,
    /// The processes whose gradients are summed.
    pub peers: &'a dyn Peers,
}

/// An update that waits for the gradients of other processes, or nothing if it does not wait.
#[derive(Debug)]
#[must_use]
pub(crate) struct Underway<'a>(Option<(PendingGradients<'a>, Update<'a>)>);

/// The state of Adam for a list of parameters.
#[derive(Debug)]
pub(crate) struct Adam {
    names: Vec<String>,
    all: AdamTensors,
    moving: Moving,
}

/// The parameters that are updated; all others stay as they are.
#[derive(Debug)]
struct Moving {
    /// Their positions among all parameters.
    places: Vec<usize>,
    /// Shares memory with the lists of all parameters.
    tensors: AdamTensors,
    /// Gradients of biases that a norm cancels: zeros, created at first use.
    zeros: Vec<Option<Tensor>>,
    /// Sum of gradients since the last update; empty after an update.
    kept: Vec<Tensor>,
}

impl Adam {
    pub fn new(parameters: Parameters) -> Result<Self> {
        let (names, params): (Vec<_>, Vec<_>) = parameters.into_iter().unzip();
        let zeros =
            || tch::no_grad(|| params.iter().map(Tensor::f_zeros_like).collect::<std::result::Result<Vec<_>, _>>());
        let (first, second) = (zeros()?, zeros()?);
        let device = params.first().map_or(Device::Cpu, Tensor::device);
        let steps = params.iter().map(|_| Tensor::f_zeros([0i64; 0], (Kind::Float, device)));
        let steps = steps.collect::<std::result::Result<Vec<_>, _>>()?;
        let all = AdamTensors::new(params, [first, second, steps])?;
        let moving = Moving::of(&all, (0..names.len()).collect());
        Ok(Self { names, all, moving })
    }

    /// Updates only those parameters whose name satisfies `moves`; gradients that were kept are discarded.
    pub fn select(&mut self, moves: impl Fn(&str) -> bool) {
        let places = (0..self.names.len()).filter(|&i| moves(&self.names[i])).collect();
        self.moving = Moving::of(&self.all, places);
    }

    /// Discards gradients that were kept.
    pub fn forget(&mut self) {
        self.moving.kept.clear();
    }

    /// Returns the gradients of `share` times `loss` with respect to the parameters that are updated, in their order;
    /// undefined tensors for those on which the loss does not depend. Changes nothing.
    pub fn gradients(&self, loss: &Tensor, share: f64) -> Result<Vec<Tensor>> {
        let loss = if share == 1.0 { loss.shallow_clone() } else { ffi::scale(loss, share)? };
        let mut gradients = Tensor::f_run_backward(&[&loss], self.moving.tensors.params(), false, false)?;
        self.arrange(&mut gradients)?;
        Ok(gradients)
    }

    /// Gives gradients the memory layout of their parameters; a gradient may be a view, even an expanded scalar.
    fn arrange(&self, gradients: &mut [Tensor]) -> Result<()> {
        let pairs = gradients.iter_mut().zip(self.moving.tensors.params());
        for (gradient, parameter) in pairs.filter(|(gradient, _)| gradient.defined()) {
            *gradient = ffi::arranged_like(gradient, parameter)?;
        }
        Ok(())
    }

    /// Updates the parameters with these gradients, as returned by [`gradients`](Self::gradients), and those kept
    /// before, or keeps them, too. An update uses the sum over all processes.
    pub fn apply(&mut self, gradients: Vec<Tensor>, update: Update<'_>) -> Result<()> {
        let underway = self.begin(gradients, update)?;
        self.finish(underway)
    }

    /// Starts what [`apply`](Self::apply) does. The parameters change in [`finish`](Self::finish), so other work can
    /// run while gradients are exchanged. Without other processes they change at once.
    pub fn begin<'a>(&mut self, mut gradients: Vec<Tensor>, update: Update<'a>) -> Result<Underway<'a>> {
        for (i, gradient) in gradients.iter_mut().enumerate() {
            if !gradient.defined() {
                *gradient = self.moving.zero(i, &self.names)?;
            }
            if let Some(before) = self.moving.kept.get(i) {
                *gradient = before.f_add(gradient)?;
            }
        }
        self.moving.kept.clear();
        if !update.now {
            self.moving.kept = gradients;
            return Ok(Underway(None));
        }
        if update.peers.is_alone() || gradients.is_empty() {
            self.step(gradients, update)?;
            return Ok(Underway(None));
        }
        // Once for each update, not for each batch.
        Ok(Underway(Some((peers::begin_gradients(update.peers, &gradients)?, update))))
    }

    /// Waits for the gradients of all processes and updates the parameters with their sum.
    pub fn finish(&mut self, Underway(exchange): Underway<'_>) -> Result<()> {
        let Some((gradients, update)) = exchange else { return Ok(()) };
        self.step(gradients.finish()?, update)
    }

    fn step(&mut self, mut gradients: Vec<Tensor>, Update { lr, adam, .. }: Update<'_>) -> Result<()> {
        self.arrange(&mut gradients)?;
        let AdamOptions { beta1, beta2, eps, weight_decay } = adam;
        self.moving.tensors.step(&mut gradients, AdamStep { lr, beta1, beta2, weight_decay, eps })
    }

    /// Updates the parameters with the gradient of `loss` and those kept before, or keeps it, too.
    #[cfg(test)]
    pub fn minimize(&mut self, loss: &Tensor, update: Update<'_>) -> Result<()> {
        let gradients = self.gradients(loss, update.share)?;
        self.apply(gradients, update)
    }

    /// Returns whether a name of [`state`](Self::state) is that of a moment.
    pub fn is_moment(name: &str) -> bool {
        [".exp_avg", ".exp_avg_sq"].iter().any(|end| name.ends_with(end))
    }

    /// Returns moments and step counts under the names of their parameters. The tensors share memory with the state.
    pub fn state(&self) -> Parameters {
        let kinds = ["exp_avg", "exp_avg_sq", "step"].into_iter().zip(self.all.moments());
        kinds
            .flat_map(|(kind, list)| {
                self.names.iter().zip(list).map(move |(name, t)| (format!("{name}.{kind}"), t.shallow_clone()))
            })
            .collect()
    }
}

impl Moving {
    fn of(all: &AdamTensors, places: Vec<usize>) -> Self {
        let zeros = places.iter().map(|_| None).collect();
        Self { tensors: all.subset(&places), places, zeros, kept: Vec::new() }
    }

    /// Returns the gradient of a parameter on which the loss does not depend. Only a bias may be one: a norm after it
    /// cancels it.
    fn zero(&mut self, i: usize, names: &[String]) -> Result<Tensor> {
        let name = &names[self.places[i]];
        if !name.ends_with(".bias") {
            return Err(Error::new(ErrorKind::Torch, format!("{name} has no gradient")));
        }
        let zero = match self.zeros[i].take() {
            Some(zero) => zero,
            None => tch::no_grad(|| self.tensors.params()[i].f_zeros_like())?,
        };
        Ok(self.zeros[i].insert(zero).shallow_clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Alone;
    use crate::testing::crew;

    fn update(lr: f64, adam: AdamOptions) -> Update<'static> {
        Update { lr, adam, share: 1.0, now: true, peers: &Alone }
    }

    /// Three steps on f(x) = sum(c * x^2), compared with algorithm 1 of the paper in plain f64.
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
            adam.minimize(&loss, update(0.1, options)).unwrap();
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
        adam.minimize(&x.sum(Kind::Float), update(0.1, AdamOptions::default())).unwrap();
        // The first step of Adam is the rate times the gradient's sign.
        let worst = (x.detach() + 0.1).abs().max().double_value(&[]);
        assert!(worst < 1e-6, "{worst}");
    }

    /// The gradients of two halves make the same step as the gradient of the whole, bit for bit: shares are powers of
    /// two.
    #[test]
    fn kept_gradients_are_added() {
        let run = |parts: &[&[f64]]| {
            let x = Tensor::from_slice(&[1.0f64, -2.0]).set_requires_grad(true);
            let mut adam = Adam::new(vec![("x".into(), x.shallow_clone())]).unwrap();
            for (i, part) in parts.iter().enumerate() {
                let loss = (Tensor::from_slice(part) * &x * &x).sum(Kind::Double);
                let (share, now) = (1.0 / parts.len() as f64, i + 1 == parts.len());
                adam.minimize(&loss, Update { share, now, ..update(0.1, AdamOptions::default()) }).unwrap();
            }
            Vec::<f64>::try_from(&x).unwrap()
        };
        assert_eq!(run(&[&[1.0, 6.0], &[3.0, 2.0]]), run(&[&[2.0, 4.0]]));
    }

    /// The gradients of two processes, each kept over two batches, make the same step as the gradient of the whole, bit
    /// for bit: shares are powers of two.
    #[test]
    fn gradients_of_processes_are_added() {
        let minimize = |x: &Tensor, parts: &[[f64; 2]], peers: &dyn Peers| {
            let mut adam = Adam::new(vec![("x".into(), x.shallow_clone())]).unwrap();
            for (i, part) in parts.iter().enumerate() {
                let loss = (Tensor::from_slice(part) * x * x).sum(Kind::Double);
                let (share, now) = (1.0 / (parts.len() * peers.part().count) as f64, i + 1 == parts.len());
                adam.minimize(&loss, Update { share, now, peers, ..update(0.1, AdamOptions::default()) }).unwrap();
            }
            Vec::<f64>::try_from(x).unwrap()
        };
        let new = || Tensor::from_slice(&[1.0f64, -2.0]).set_requires_grad(true);
        let whole = minimize(&new(), &[[2.0, 4.0]], &Alone);
        let parts = [[[1.0, 7.0], [3.0, 3.0]], [[0.0, 1.0], [4.0, 5.0]]];
        let found = crew(2, |peers| minimize(&new(), &parts[peers.part().rank], peers));
        assert_eq!(found, [whole.clone(), whole]);
    }

    #[test]
    fn parameters_that_are_not_selected_stay() {
        let new = |value: f64| Tensor::from_slice(&[value]).set_requires_grad(true);
        let (x, y) = (new(1.0), new(1.0));
        let parameters = vec![("x".to_string(), x.shallow_clone()), ("y".to_string(), y.shallow_clone())];
        let mut adam = Adam::new(parameters).unwrap();
        adam.select(|name| name == "y");
        adam.minimize(&(&x * &y).sum(Kind::Double), update(0.1, AdamOptions::default())).unwrap();
        assert_eq!(x.double_value(&[0]), 1.0);
        assert!(y.double_value(&[0]) < 1.0);
        let steps: Vec<f64> =
            adam.state().iter().filter(|(n, _)| n.ends_with("step")).map(|(_, t)| t.double_value(&[])).collect();
        assert_eq!(steps, [0.0, 1.0]);
    }

    /// A missing gradient of anything but a bias means that the network is not connected.
    #[test]
    fn a_bias_that_nothing_depends_on_stays_and_a_weight_is_an_error() {
        let new = |name: &str| (name.to_string(), Tensor::from_slice(&[1.0f64]).set_requires_grad(true));
        let (x, bias, weight) = (new("x"), new("a.bias"), new("a.weight"));
        let minimize = |other: &(String, Tensor), now: bool| {
            let parameters = [&x, other].map(|(name, t)| (name.clone(), t.shallow_clone()));
            let mut adam = Adam::new(parameters.into()).unwrap();
            let update = Update { now, ..update(0.1, AdamOptions::default()) };
            adam.minimize(&x.1.square().sum(Kind::Double), update)?;
            adam.minimize(&x.1.square().sum(Kind::Double), Update { now: true, ..update })
        };
        for now in [true, false] {
            minimize(&bias, now).unwrap();
        }
        assert_eq!(bias.1.double_value(&[0]), 1.0);
        assert!(x.1.double_value(&[0]) < 1.0);
        let error = minimize(&weight, true).unwrap_err();
        assert!(error.to_string().contains("a.weight has no gradient"), "{error}");
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let error = AdamOptions { beta2: 1.0, ..Default::default() }.check().unwrap_err();
        assert!(error.to_string().contains("beta2"), "{error}");
        assert!(AdamOptions::default().check().is_ok());
        assert!(AdamOptions { weight_decay: f64::NAN, ..Default::default() }.check().is_err());
    }
}
