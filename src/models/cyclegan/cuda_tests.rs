//! One step of realistic size on CUDA compared with f64, memory, and growth over many steps. Without a device the tests
//! say so and pass; the first also runs at a small size on the CPU.

use tch::{Device, Kind, Tensor};

use super::config::CycleGanConfig;
use super::losses;
use super::networks::Networks;
use super::objective::Objective;
use crate::dataset::PerDomain;
use crate::device::Precision;
use crate::ffi::{self, Switches};
use crate::nn::Parameters;
use crate::testing;

struct Case {
    config: CycleGanConfig,
    side: i64,
}

impl Case {
    /// Images of smooth waves and noise; the random numbers are drawn on the CPU and are the same for all.
    fn images(&self) -> [Tensor; 2] {
        [1.0, 2.0].map(|phase| {
            let count = 3 * self.side * self.side;
            let waves = (Tensor::arange(count, (Kind::Double, Device::Cpu)) * 0.013 + phase).sin();
            let noise = (Tensor::arange(count, (Kind::Double, Device::Cpu)) * 78.233 * phase).sin() * 0.3;
            ((waves + noise) * 0.7).view([1, 3, self.side, self.side])
        })
    }

    /// Returns the gradients of both generators' weights as one list of numbers.
    fn gradient(&self, device: Device, kind: Kind, precision: Precision) -> Tensor {
        let nets = Networks::new(&self.config, PerDomain { a: 3, b: 3 }, device, kind).unwrap();
        let [a, b] = self.images().map(|image| image.to_kind(kind).to_device(device));
        let _switches = Switches::hold_on(device, precision.training_arithmetic(false)).unwrap();
        let losses = ffi::autocast(precision.casts(device), device, || {
            let images = losses::translate_all(nets.learning(), &a, &b, true)?;
            losses::generator_losses(&nets, Objective::plain(&self.config), &a, &b, &images)
        });
        let weights: Parameters =
            nets.generator_parameters().into_iter().filter(|(name, _)| name.ends_with(".weight")).collect();
        let weights: Vec<&Tensor> = weights.iter().map(|(_, tensor)| tensor).collect();
        let gradients = Tensor::run_backward(&[&losses.unwrap().total], &weights, false, false);
        let flat = gradients.iter().map(|g| g.to_device(Device::Cpu).to_kind(Kind::Double).flatten(0, -1));
        Tensor::cat(&flat.collect::<Vec<_>>(), 0)
    }
}

/// Returns the difference of two gradients relative to the length of one.
fn apart(found: &Tensor, expected: &Tensor) -> f64 {
    ((found - expected).norm() / expected.norm()).double_value(&[])
}

#[test]
fn a_step_in_f32_is_near_one_in_f64() {
    let config = CycleGanConfig { gen_blocks: 2, gen_features: 8, disc_features: 8, ..Default::default() };
    let case = Case { config, side: 32 };
    let exact = case.gradient(Device::Cpu, Kind::Double, Precision::F32);
    let found = apart(&case.gradient(Device::Cpu, Kind::Float, Precision::F32), &exact);
    // Rounding of 2^-24 through some thirty layers and back.
    assert!((1e-9..1e-4).contains(&found), "{found}");
}

/// Where a rectifier or an L1 distance is near its kink, rounding decides whether a gradient passes. About a share `e`
/// of all values is that close for an error of `e`, so gradients differ by about `sqrt(e)` and not by `e`. These are
/// the differences at 256 x 256 on a CPU, with the inputs of convolutions rounded to 11 bits for TF32, and all maps to
/// 8 bits for bfloat16, computed by `tests/fixtures/precision/make_apart.py`. The H200 differed by 3.00e-3 in f32.
const APART_ON_A_PROCESSOR: [(Precision, f64); 3] =
    [(Precision::F32, 2.97e-3), (Precision::Tf32, 0.114), (Precision::Bf16, 0.377)];

#[test]
fn a_step_of_real_size_is_as_near_to_f64_as_its_precision_on_cuda() {
    let Some(device) = testing::cuda() else { return };
    let case = Case { config: CycleGanConfig::default(), side: 256 };
    let exact = case.gradient(device, Kind::Double, Precision::F32);
    let mut measured = Vec::new();
    for (precision, expected) in APART_ON_A_PROCESSOR {
        let Ok(precision) = precision.on(device) else { continue };
        let found = apart(&case.gradient(device, Kind::Float, precision), &exact);
        testing::tell(&format!(
            "gradient in {precision} against f64 at 256 x 256: {found:.2e} apart, {expected:.2e} on a processor"
        ));
        measured.push((precision, found, expected));
    }
    for &(precision, found, expected) in &measured {
        // Random weights differ there, and each kernel sums in its own order.
        assert!((expected / 3.0..expected * 2.0).contains(&found), "{precision}: {found}, not about {expected}");
    }
    for pair in measured.windows(2) {
        let (coarse, fine) = (pair[1].1, pair[0].1);
        assert!(coarse > 1.5 * fine, "{}: {coarse} is no farther than {}: {fine}", pair[1].0, pair[0].0);
    }
}
