//! Steps of a discriminator with spectral norms, compared with PyTorch's (see
//! `tests/fixtures/spectral/make_spectral.py`).

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::losses::discriminator_loss;
use crate::loss::AdversarialLoss;
use crate::nn::{Discriminator, DiscriminatorShape, Initialization, Initializer, Parameters, load_parameters};
use crate::optim::{Adam, AdamOptions, Update};
use crate::peers::Alone;
use crate::random::Seed;
use crate::testing::{Tolerance, fixture, npy};

/// The tolerance of the golden files in f64: a few hundred roundings, and three steps of Adam.
const SAME: Tolerance = Tolerance::abs(1e-10);

fn discriminator() -> Discriminator {
    let scheme = Some(Initialization::Paper);
    let init = Initializer { seed: Seed(1), scheme, device: Device::Cpu, kind: Kind::Double };
    let shape = DiscriminatorShape { channels: 3, features: 2, spectral_norm: true, scales: 1 };
    Discriminator::new("D_A", shape, &init).unwrap()
}

/// Weights, biases and vectors.
fn all(disc: &Discriminator) -> Parameters {
    disc.parameters().into_iter().chain(disc.vectors()).collect()
}

fn npz(name: &str) -> Parameters {
    Tensor::read_npz(fixture(&format!("spectral/{name}"))).unwrap()
}

/// A bias before a norm has no effect: PyTorch's gradient for it is rounding noise, which Adam turns into steps.
fn is_noise(name: &str) -> bool {
    ["D_A.2.bias", "D_A.5.bias", "D_A.8.bias"].contains(&name)
}

#[test]
fn three_steps_equal_pytorch() {
    let disc = discriminator();
    load_parameters(&all(&disc), &npz("initial.npz")).unwrap();
    let expected: Value = serde_json::from_slice(&std::fs::read(fixture("spectral/losses.json")).unwrap()).unwrap();
    let [real, fake] = ["real", "fake"].map(|name| npy(&format!("spectral/{name}.npy")));
    let mut adam = Adam::new(disc.parameters()).unwrap();
    for step in 0..3 {
        let form = AdversarialLoss::LeastSquares;
        let loss = discriminator_loss(&disc, form, &real.get(step), &fake.get(step)).unwrap();
        let update = Update { lr: 1e-2, adam: AdamOptions::default(), share: 1.0, now: true, peers: &Alone };
        adam.minimize(&loss, update).unwrap();
        disc.update_spectral_norms().unwrap();
        SAME.number("loss", loss.double_value(&[]), expected["losses"][step as usize].as_f64().unwrap());
    }
    let after = npz("after.npz");
    let wanted = |name: &str| &after.iter().find(|(other, _)| other == name).unwrap().1;
    for (name, found) in all(&disc).into_iter().filter(|(name, _)| !is_noise(name)) {
        SAME.tensor(&name, &found.detach(), wanted(&name));
    }
    let folded = disc.applied_parameters().unwrap();
    let weights: Vec<_> = folded.iter().filter(|(name, _)| name.ends_with(".weight")).collect();
    assert_eq!(weights.len(), 5);
    for (name, found) in weights {
        SAME.tensor(name, &found.detach(), wanted(&name.replace(".weight", ".folded")));
    }
}
