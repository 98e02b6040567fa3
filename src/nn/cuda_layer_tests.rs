//! Compares networks that use our own CUDA layers with the same networks in libtorch's operators: on the CPU, where the
//! kernels are compiled for it, and on a CUDA device if there is one.

use tch::{Device, Kind, Tensor};

use super::generator::{GeneratorShape, generator};
use super::init::{Initialization, Initializer, UpsamplingInit};
use super::upsampling::Upsampling;
use super::{DiscriminatorShape, Network, discriminator};
use crate::device::Precision;
use crate::ffi::{self, ConvolutionForm, CudaOptions, NormForm, Switches};
use crate::random::Seed;
use crate::testing;

#[derive(Debug, Clone, Copy)]
struct Case {
    channels: i64,
    features: i64,
    blocks: i64,
    upsampling: Upsampling,
    global_skip: bool,
    images: [i64; 3],
}

const CASES: [Case; 7] = {
    let plain = Case {
        channels: 3,
        features: 8,
        blocks: 2,
        upsampling: Upsampling::Transposed,
        global_skip: false,
        images: [2, 32, 36],
    };
    [
        plain,
        // Numbers of features that do not fill a vector, and sides that are extended and cropped.
        Case { features: 5, images: [1, 33, 27], ..plain },
        Case { features: 3, channels: 1, blocks: 1, images: [3, 24, 24], ..plain },
        Case { upsampling: Upsampling::Resize, images: [1, 24, 28], ..plain },
        Case { blocks: 0, channels: 13, images: [1, 40, 24], ..plain },
        Case { global_skip: true, channels: 2, images: [2, 25, 30], ..plain },
        // The smallest maps that a network has: two pixels a side in the residual blocks.
        Case { images: [2, 8, 8], ..plain },
    ]
};

impl Case {
    fn generator(&self, device: Device, kind: Kind) -> Network {
        let Self { channels, features, blocks, upsampling, global_skip, .. } = *self;
        let init = Initializer { seed: Seed(3), scheme: Some(Initialization::Paper), device, kind };
        let upsampling_init = UpsamplingInit::Scheme;
        let shape =
            GeneratorShape { input: channels, output: 2, features, blocks, upsampling, upsampling_init, global_skip };
        Network::new("G_A", generator(shape), &init).unwrap()
    }

    fn discriminator(&self, device: Device, kind: Kind) -> Network {
        let init = Initializer { seed: Seed(4), scheme: Some(Initialization::Paper), device, kind };
        let shape = DiscriminatorShape {
            channels: self.channels,
            features: self.features,
            spectral_norm: self.features == 5,
            scales: 1,
        };
        Network::new("D_A", discriminator(shape), &init).unwrap()
    }

    fn image(&self, device: Device, kind: Kind) -> Tensor {
        let [n, h, w] = self.images;
        let count = n * self.channels * h * w;
        let waves = (Tensor::arange(count, (Kind::Double, Device::Cpu)) * 0.37).sin() * 0.8;
        waves.view([n, self.channels, h, w]).to_kind(kind).to_device(device)
    }
}

fn with_gradients(network: &Network, x: &Tensor) -> Vec<Tensor> {
    in_precision(network, x, false)
}

/// Runs a network on an image, and returns its output and the gradients of a weighted sum of it, that of the image
/// first.
fn in_precision(network: &Network, x: &Tensor, cast: bool) -> Vec<Tensor> {
    let x = x.detach().copy().set_requires_grad(true);
    let made = ffi::autocast(cast, x.device(), || network.forward(&x)).unwrap();
    let weights = (Tensor::arange(made.numel() as i64, (Kind::Double, Device::Cpu)) * 1.3).sin();
    let weights = weights.view_as(&made).to_kind(made.kind()).to_device(made.device());
    let learned: Vec<_> = network
        .parameters()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".weight"))
        .map(|(_, weight)| weight)
        .collect();
    let inputs: Vec<_> = std::iter::once(&x).chain(&learned).collect();
    let mut all = Tensor::run_backward(&[(&made * weights).sum(made.kind())], &inputs, false, false);
    all.push(made.detach());
    all
}

/// Returns the length of the difference relative to the length of the expected values.
fn apart(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size());
    let found = found.to_device(Device::Cpu).to_kind(Kind::Double);
    let expected = expected.to_kind(Kind::Double);
    ((found - &expected).norm() / expected.norm().clamp_min(1e-30)).double_value(&[])
}

/// Runs a function with the layers that are to be compared.
type ByOwn<'a> = &'a dyn Fn(&dyn Fn() -> Vec<Tensor>) -> Vec<Tensor>;

fn compare(case: Case, device: Device, kind: Kind, most: f64, by_own: ByOwn<'_>) {
    compare_in(case, device, kind, false, most, by_own);
}

/// Compares both networks of a case, run by `by_own` on `device`, with libtorch's operators in f64 on the CPU.
fn compare_in(case: Case, device: Device, kind: Kind, cast: bool, most: f64, by_own: ByOwn<'_>) {
    let make = [Case::generator, Case::discriminator];
    // A discriminator does not accept images as small as a generator does.
    let count = if case.images[1] < 24 { 1 } else { 2 };
    for (which, make) in make.into_iter().enumerate().take(count) {
        let exact = with_gradients(&make(&case, Device::Cpu, Kind::Double), &case.image(Device::Cpu, Kind::Double));
        let (network, image) = (make(&case, device, kind), case.image(device, kind));
        let ours = by_own(&|| in_precision(&network, &image, cast));
        let all: Vec<_> = ours.iter().zip(&exact).map(|(a, b)| apart(a, b)).collect();
        let worst = all.iter().copied().fold(0.0, f64::max);
        let each: Vec<_> = ours.iter().zip(&exact).map(|(a, b)| format!("{:.0e}", apart(a, b))).collect();
        testing::tell(&format!("{case:?}, network {which}, {kind:?}: {worst:.1e} apart {each:?}"));
        assert_eq!(ours.len(), exact.len());
        // Compared one by one, because a maximum would hide NaN.
        assert!(all.iter().all(|&distance| distance < most), "{case:?}, network {which}, {kind:?}: {all:?}");
    }
}

type Emulate = fn(&dyn Fn() -> Vec<Tensor>) -> Vec<Tensor>;

/// Runs emulated layers with each kind of norm.
const EMULATED: [(&str, Emulate); 2] = [
    ("norms in passes", |work| ffi::emulate_cuda(work)),
    ("norms on chip", |work| {
        ffi::emulate_cuda_with(CudaOptions { norms_on_chip: true, ..CudaOptions::default() }, work)
    }),
];

/// Sums of some thousand f64 products in another order, through up to twenty layers and back.
const F64: f64 = 1e-9;

#[test]
fn emulated_layers_equal_operators() {
    for (case, (_, emulate)) in CASES.into_iter().flat_map(|case| EMULATED.map(|kind| (case, kind))) {
        compare(case, Device::Cpu, Kind::Double, F64, &emulate);
    }
}

/// 2^-24 through as many layers; near 0, rectifiers may decide differently.
#[test]
fn emulated_layers_in_f32_are_close_to_f64() {
    for (_, emulate) in EMULATED {
        compare(CASES[0], Device::Cpu, Kind::Float, 1e-2, &emulate);
    }
}

/// Values are within 2^-9 after each layer. If that changes the decision of a rectifier, a gradient appears or
/// disappears: libtorch's operators in mixed precision differ by 0.2 to 0.3. A wrong result differs by about 1.
const BF16: f64 = 0.5;

#[test]
fn emulated_layers_in_mixed_precision_are_close_to_f64() {
    for case in &CASES[..4] {
        for (_, emulate) in EMULATED {
            compare_in(*case, Device::Cpu, Kind::Float, true, BF16, &emulate);
        }
        compare_in(*case, Device::Cpu, Kind::Float, true, BF16, &|work| work());
    }
}

#[test]
fn cuda_layers_equal_operators() {
    let Some(device) = testing::cuda() else { return };
    let _exact = Switches::hold(Precision::F32.training_arithmetic(false)).unwrap();
    assert!(ffi::cuda_layers_fit(&CASES[0].image(device, Kind::Float)), "the layers are not used");
    for case in CASES {
        compare(case, device, Kind::Double, F64, &|work| work());
        compare(case, device, Kind::Float, 1e-2, &|work| work());
        compare_in(case, device, Kind::Float, true, BF16, &|work| work());
    }
}

#[test]
fn borders_too_wide_for_emulated_layers_are_errors() {
    let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Double, Device::Cpu));
    let weight = zeros(&[4, 4, 3, 3]);
    ffi::emulate_cuda(|| {
        assert!(ffi::bordered_residual(&zeros(&[1, 4, 3, 6]), [&weight, &weight], 1e-5, 1).is_err());
        assert!(ffi::bordered_residual(&zeros(&[1, 5, 6, 6]), [&weight, &weight], 1e-5, 1).is_err());
        assert!(ffi::bordered_residual(&zeros(&[1, 4, 4, 4]), [&weight, &weight], 1e-5, 2).is_err());
        assert!(ffi::bordered_residual(&zeros(&[1, 4, 4, 4]), [&weight, &weight], 1e-5, 1).is_ok());
    });
}

/// Computes the output of `work`, and the gradients of `leaves` through a weighted sum of it.
fn gradients_of(leaves: &[Tensor], work: &dyn Fn(&[Tensor]) -> Tensor) -> Vec<Tensor> {
    let leaves: Vec<_> = leaves.iter().map(|t| t.copy().set_requires_grad(true)).collect();
    let made = work(&leaves);
    let sum = (&made * wave(&made.size(), 1.3)).sum(Kind::Double);
    let mut all = Tensor::run_backward(&[sum], &leaves.iter().collect::<Vec<_>>(), false, false);
    all.push(made.detach());
    all
}

fn wave(shape: &[i64], pitch: f64) -> Tensor {
    (Tensor::arange(shape.iter().product::<i64>(), (Kind::Double, Device::Cpu)) * pitch).sin().view(shape)
}

fn normed(x: &Tensor) -> Tensor {
    x.instance_norm(None::<Tensor>, None::<Tensor>, None::<Tensor>, None::<Tensor>, true, 0.0, 1e-5, false)
}

fn bordered(x: &Tensor, by: i64) -> Tensor {
    if by == 0 { x.shallow_clone() } else { x.reflection_pad2d([by; 4]) }
}

fn all_near(what: &str, ours: &[Tensor], exact: &[Tensor]) {
    let each: Vec<_> = ours.iter().zip(exact).map(|(a, b)| apart(a, b)).collect();
    assert_eq!(ours.len(), exact.len());
    assert!(each.iter().all(|&d| d < 1e-10), "{what}: {each:?}");
}

/// Various sizes and numbers of channels; in the last one, a block on chip keeps two vectors of channels.
const MAPS: [[i64; 4]; 7] =
    [[2, 16, 8, 8], [1, 20, 9, 7], [1, 6, 9, 7], [3, 5, 9, 7], [1, 20, 8, 8], [2, 7, 4, 5], [9, 64, 6, 5]];

#[test]
fn emulated_residual_blocks_equal_operators() {
    let conv = |x: &Tensor, w: &Tensor| bordered(x, 1).conv2d(w, None::<Tensor>, [1, 1], [0, 0], [1, 1], 1);
    for (shape, border) in MAPS.into_iter().flat_map(|shape| [(shape, 0), (shape, 1), (shape, 3)]) {
        let c = shape[1];
        let leaves = [wave(&shape, 0.37), wave(&[c, c, 3, 3], 0.7), wave(&[c, c, 3, 3], 0.9)];
        let exact = gradients_of(&leaves, &|p| {
            let hidden = normed(&conv(&p[0], &p[1])).relu();
            bordered(&(&p[0] + normed(&conv(&hidden, &p[2]))), border)
        });
        let block = |p: &[Tensor]| ffi::bordered_residual(&bordered(&p[0], 1), [&p[1], &p[2]], 1e-5, border);
        for (norms, emulate) in EMULATED {
            let ours = emulate(&|| gradients_of(&leaves, &|p| block(p).unwrap()));
            all_near(&format!("{shape:?} with a border of {border}, {norms}"), &ours, &exact);
        }
    }
}

#[test]
fn a_map_that_is_computed_again_is_the_same() {
    let leaves = [wave(&[2, 16, 9, 7], 0.37), wave(&[16, 16, 3, 3], 0.7), wave(&[16, 16, 3, 3], 0.9)];
    let block = |p: &[Tensor]| ffi::bordered_residual(&bordered(&p[0], 1), [&p[1], &p[2]], 1e-5, 1).unwrap();
    let [kept, again] = [false, true].map(|recomputes| {
        let options = CudaOptions { recomputes, ..CudaOptions::default() };
        ffi::emulate_cuda_with(options, || gradients_of(&leaves, &block))
    });
    assert!(kept == again);
}

#[test]
fn emulated_convolutions_with_norms_equal_operators() {
    let forms = [(3, 1, 1, false), (3, 2, 1, false), (3, 2, 1, true), (4, 1, 1, false), (4, 2, 1, false)];
    let cases = MAPS.into_iter().flat_map(|map| forms.into_iter().map(move |form| (map, form)));
    for ((shape, (side, stride, padding, transposed)), slope) in cases.zip([0.0, 0.2, 1.0].into_iter().cycle()) {
        let made_channels = if shape[0] == 9 { 64 } else { 6 };
        let kernel =
            if transposed { [shape[1], made_channels, side, side] } else { [made_channels, shape[1], side, side] };
        let leaves = [wave(&shape, 0.37), wave(&kernel, 0.7)];
        let border = i64::from(stride == 1);
        let exact = gradients_of(&leaves, &|p| {
            let (s, d) = ([stride; 2], [padding; 2]);
            let made = match transposed {
                true => p[0].conv_transpose2d(&p[1], None::<Tensor>, s, d, [1, 1], 1, [1, 1]),
                false => p[0].conv2d(&p[1], None::<Tensor>, s, d, [1, 1], 1),
            };
            let z = normed(&made);
            bordered(&(z.clamp_min(0.0) + z.clamp_max(0.0) * slope), border)
        });
        let form = ConvolutionForm { stride, padding, transposed, normalized: true };
        let norm = NormForm { slope, epsilon: 1e-5, border };
        for (norms, emulate) in EMULATED {
            let layer = |p: &[Tensor]| ffi::convolution_norm(&p[0], &p[1], form, norm).unwrap();
            let ours = emulate(&|| gradients_of(&leaves, &layer));
            all_near(&format!("{shape:?} by {form:?}, {norm:?}, {norms}"), &ours, &exact);
        }
    }
}
