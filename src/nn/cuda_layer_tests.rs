//! Networks by layers of our own for CUDA against the same networks of libtorch's operators: on the processor, where the
//! kernels are compiled for it, and on a device where there is one.

use tch::{Device, Kind, Tensor};

use super::generator::{Generator, GeneratorShape};
use super::init::{Initialisation, Initialiser, UpsamplingInit};
use super::upsampling::Upsampling;
use super::{Discriminator, DiscriminatorShape, Parameters};
use crate::device::Precision;
use crate::error::Result;
use crate::ffi::{self, Switches};
use crate::random::Seed;
use crate::testing;

/// One network: how to run it, and what it learns.
trait Network {
    fn run(&self, x: &Tensor) -> Result<Tensor>;
    fn weights(&self) -> Parameters;
}

impl Network for Generator {
    fn run(&self, x: &Tensor) -> Result<Tensor> {
        self.forward(x)
    }
    fn weights(&self) -> Parameters {
        self.parameters().into_iter().filter(|(name, _)| name.ends_with(".weight")).collect()
    }
}

impl Network for Discriminator {
    fn run(&self, x: &Tensor) -> Result<Tensor> {
        self.forward(x)
    }
    fn weights(&self) -> Parameters {
        self.parameters().into_iter().filter(|(name, _)| name.ends_with(".weight")).collect()
    }
}

#[derive(Debug, Clone, Copy)]
struct Case {
    channels: i64,
    features: i64,
    blocks: i64,
    upsampling: Upsampling,
    images: [i64; 3],
}

const CASES: [Case; 6] = {
    let plain = Case { channels: 3, features: 8, blocks: 2, upsampling: Upsampling::Transposed, images: [2, 32, 36] };
    [
        plain,
        // Features that fill no vector, and sides that are extended and cropped.
        Case { features: 5, images: [1, 33, 27], ..plain },
        Case { features: 3, channels: 1, blocks: 1, images: [3, 24, 24], ..plain },
        Case { upsampling: Upsampling::Resize, images: [1, 24, 28], ..plain },
        Case { blocks: 0, channels: 13, images: [1, 40, 24], ..plain },
        // The smallest maps that a network has: two pixels a side at the blocks.
        Case { images: [2, 8, 8], ..plain },
    ]
};

impl Case {
    fn generator(&self, device: Device, kind: Kind) -> Box<dyn Network> {
        let Self { channels, features, blocks, upsampling, .. } = *self;
        let init = Initialiser { seed: Seed(3), scheme: Some(Initialisation::Paper), device, kind };
        let upsampling_init = UpsamplingInit::Scheme;
        let shape = GeneratorShape { input: channels, output: 2, features, blocks, upsampling, upsampling_init };
        Box::new(Generator::new("G_A", shape, &init).unwrap())
    }

    fn discriminator(&self, device: Device, kind: Kind) -> Box<dyn Network> {
        let init = Initialiser { seed: Seed(4), scheme: Some(Initialisation::Paper), device, kind };
        let shape = DiscriminatorShape {
            channels: self.channels,
            features: self.features,
            spectral_norm: self.features == 5,
            scales: 1,
        };
        Box::new(Discriminator::new("D_A", shape, &init).unwrap())
    }

    fn image(&self, device: Device, kind: Kind) -> Tensor {
        let [n, h, w] = self.images;
        let count = n * self.channels * h * w;
        let waves = (Tensor::arange(count, (Kind::Double, Device::Cpu)) * 0.37).sin() * 0.8;
        waves.view([n, self.channels, h, w]).to_kind(kind).to_device(device)
    }
}

/// What a network makes of an image, and the gradients of a weighted sum of it, first that of the image.
fn with_gradients(network: &dyn Network, x: &Tensor) -> Vec<Tensor> {
    let x = x.detach().copy().set_requires_grad(true);
    let made = network.run(&x).unwrap();
    let weights = (Tensor::arange(made.numel() as i64, (Kind::Double, Device::Cpu)) * 1.3).sin();
    let weights = weights.view_as(&made).to_kind(made.kind()).to_device(made.device());
    let learned: Vec<_> = network.weights().into_iter().map(|(_, weight)| weight).collect();
    let inputs: Vec<_> = std::iter::once(&x).chain(&learned).collect();
    let mut all = Tensor::run_backward(&[(&made * weights).sum(made.kind())], &inputs, false, false);
    all.push(made.detach());
    all
}

/// The largest difference, as a share of the largest value.
fn apart(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    let found = found.to_device(Device::Cpu).to_kind(Kind::Double);
    let expected = expected.to_kind(Kind::Double);
    let scale = expected.abs().max().double_value(&[]).max(1e-30);
    (found - expected).abs().max().double_value(&[]) / scale
}

/// Compares both networks of a case, as `by_own` runs them on `device`, with libtorch's operators in f64 on the processor.
fn compare(
    case: Case,
    device: Device,
    kind: Kind,
    most: f64,
    by_own: &dyn Fn(&dyn Fn() -> Vec<Tensor>) -> Vec<Tensor>,
) {
    let make = [Case::generator, Case::discriminator];
    // A discriminator takes no images as small as a generator does.
    let count = if case.images[1] < 24 { 1 } else { 2 };
    for (which, make) in make.into_iter().enumerate().take(count) {
        let exact = with_gradients(&*make(&case, Device::Cpu, Kind::Double), &case.image(Device::Cpu, Kind::Double));
        let (network, image) = (make(&case, device, kind), case.image(device, kind));
        let ours = by_own(&|| with_gradients(&*network, &image));
        let worst = ours.iter().zip(&exact).map(|(a, b)| apart(a, b)).fold(0.0, f64::max);
        testing::tell(&format!("{case:?}, network {which}, {kind:?}: {worst:.1e} apart"));
        assert_eq!(ours.len(), exact.len());
        assert!(worst < most, "{case:?}, network {which}, {kind:?}: {worst}");
    }
}

/// Sums of some thousand f64 products in another order, through as many as twenty layers and back.
const F64: f64 = 1e-9;

#[test]
fn networks_by_the_emulated_layers_are_those_of_operators() {
    for case in CASES {
        compare(case, Device::Cpu, Kind::Double, F64, &|work| ffi::emulate_cuda(work));
    }
}

/// 2^-24 through as many layers, where rectifiers may decide otherwise near 0.
#[test]
fn networks_by_the_emulated_layers_in_f32_are_near_f64() {
    compare(CASES[0], Device::Cpu, Kind::Float, 1e-2, &|work| ffi::emulate_cuda(work));
}

#[test]
fn networks_by_the_layers_on_cuda_are_those_of_operators() {
    let Some(device) = testing::cuda() else { return };
    let _exact = Switches::hold(Precision::F32.training_arithmetic(false)).unwrap();
    assert!(ffi::cuda_layers_fit(&CASES[0].image(device, Kind::Float)), "the layers are not used");
    for case in CASES {
        compare(case, device, Kind::Double, F64, &|work| work());
        compare(case, device, Kind::Float, 1e-2, &|work| work());
    }
}

#[test]
fn borders_that_cannot_be_reflected_are_errors() {
    let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Double, Device::Cpu));
    let weight = zeros(&[4, 4, 3, 3]);
    ffi::emulate_cuda(|| {
        assert!(ffi::bordered_residual(&zeros(&[1, 4, 3, 6]), [&weight, &weight], 1e-5, 1).is_err());
        assert!(ffi::bordered_residual(&zeros(&[1, 5, 6, 6]), [&weight, &weight], 1e-5, 1).is_err());
        assert!(ffi::bordered_residual(&zeros(&[1, 4, 4, 4]), [&weight, &weight], 1e-5, 2).is_err());
        assert!(ffi::bordered_residual(&zeros(&[1, 4, 4, 4]), [&weight, &weight], 1e-5, 1).is_ok());
    });
}
