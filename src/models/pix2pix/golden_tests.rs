//! Losses and weights of five training steps, compared with numbers from PyTorch (see
//! `tests/fixtures/pix2pix/make_golden.py`).

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::config::{Generator, Pix2PixConfig};
use super::networks::Networks;
use super::optimizers::Optimizers;
use super::step::{self, LOSS_NAMES, METRIC_NAMES};
use crate::dataset::PerDomain;
use crate::loss::AdversarialLoss;
use crate::nn::Parameters;
use crate::optim::AdamOptions;
use crate::testing::{Tolerance, fixture, npy};
use crate::train::StepContext;

/// f64: a few thousand roundings.
const SAME: Tolerance = Tolerance::abs(1e-10);

fn config(generator: Generator, adversarial: AdversarialLoss) -> Pix2PixConfig {
    Pix2PixConfig {
        generator,
        adversarial,
        gen_levels: 4,
        gen_blocks: 1,
        gen_features: 2,
        disc_features: 2,
        dropout: false,
        ..Pix2PixConfig::default()
    }
}

fn npz(name: &str) -> Parameters {
    Tensor::read_npz(fixture(&format!("pix2pix/{name}.npz"))).unwrap()
}

/// A bias before a norm has no effect: PyTorch's gradient for it is rounding noise, which Adam turns into steps.
fn is_noise(key: &str) -> bool {
    let felt = ["D.model.0.bias", "G.final.2.bias", "G.18.bias"];
    key.ends_with(".bias") && !felt.contains(&key)
}

fn check(name: &str, config: &Pix2PixConfig, device: Device) {
    let nets = Networks::new(config, PerDomain { a: 2, b: 3 }, (device, Kind::Double), true).unwrap();
    nets.load(&npz(&format!("{name}_initial"))).unwrap();
    let expected: Value = serde_json::from_slice(&std::fs::read(fixture("pix2pix/losses.json")).unwrap()).unwrap();
    let number = |value: &Value| value.as_f64().unwrap();
    let [a, b] = ["a", "b"].map(|domain| npy(&format!("pix2pix/{domain}.npy")).to_device(device));
    if name == "unet" {
        let made = nets.generator.forward(&a.get(0)).unwrap().to_device(Device::Cpu);
        SAME.tensor("made", &made.detach(), &npy("pix2pix/made.npy"));
    }
    let mut optimizers = Optimizers::new(&nets).unwrap();
    for index in 0..5 {
        let context = StepContext::new(2e-4, AdamOptions::default(), index as u64);
        let batch = (&a.get(index), &b.get(index));
        let found = step::train_step(&nets, &mut optimizers, config, batch, context).unwrap();
        assert_eq!(found.size(), [LOSS_NAMES.len() as i64]);
        for (i, loss) in LOSS_NAMES.iter().enumerate() {
            let wanted = number(&expected[name]["steps"][index as usize][i]);
            SAME.number(&format!("{name}, step {index}, {loss}"), found.double_value(&[i as i64]), wanted);
        }
    }
    let found = step::validate(&nets, config, (&a.get(0), &b.get(0))).unwrap();
    for (i, metric) in METRIC_NAMES.iter().enumerate() {
        let wanted = number(&expected[name]["valid"][i]);
        SAME.number(&format!("{name}, {metric}"), found.double_value(&[i as i64]), wanted);
    }
    let after = npz(&format!("{name}_after"));
    assert_eq!(after.len(), nets.parameters().len());
    let parameters = nets.parameters();
    assert!(parameters.iter().filter(|(key, _)| !is_noise(key)).count() > 12);
    for (key, found) in parameters.into_iter().filter(|(key, _)| !is_noise(key)) {
        let wanted = &after.iter().find(|(other, _)| *other == key).unwrap().1;
        SAME.tensor(&format!("{name}, {key}"), &found.detach().to_device(Device::Cpu), wanted);
    }
}

#[test]
fn five_steps_are_those_of_pytorch() {
    use AdversarialLoss::{BinaryCrossEntropy, LeastSquares};
    for (name, generator, form) in [
        ("unet", Generator::Unet, BinaryCrossEntropy),
        ("squares", Generator::Unet, LeastSquares),
        ("resnet", Generator::Resnet, BinaryCrossEntropy),
    ] {
        check(name, &config(generator, form), Device::Cpu);
    }
}

#[test]
fn five_steps_are_those_of_pytorch_on_cuda() {
    let Some(device) = crate::testing::cuda() else { return };
    check("unet", &config(Generator::Unet, AdversarialLoss::BinaryCrossEntropy), device);
    check("resnet", &config(Generator::Resnet, AdversarialLoss::BinaryCrossEntropy), device);
}
