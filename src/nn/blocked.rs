//! A convolution with few output channels, computed as one with many.
//!
//! Tensor cores compute a dozen channels at a time, so a layer with only three wastes most of the work. Instead, the 4
//! x 4 pixels of a block become the channels of a convolution with stride 4, whose kernel covers everything that these
//! pixels see.

use tch::{Device, Kind, Tensor};

use super::conv::Conv2d;
use crate::error::Result;

/// Side of a block in pixels.
const SIDE: i64 = 4;

/// Maps a kernel's values to their places in the larger kernel, for each pixel of a block.
#[derive(Debug)]
pub(super) struct Blocked {
    kernel: i64,
    /// 1 if value k of the kernel belongs at a place of the larger one for a pixel, otherwise 0: (kernel^2, SIDE^2 *
    /// wide^2).
    places: Tensor,
}

impl Blocked {
    /// Creates the map for convolutions with this kernel and a stride of 1.
    pub fn new(kernel: i64, device: Device, kind: Kind) -> Result<Self> {
        let wide = kernel + SIDE - 1;
        let columns = SIDE * SIDE * wide * wide;
        let mut places = vec![0f32; (kernel * kernel * columns) as usize];
        let square = |side: i64| (0..side).flat_map(move |row| (0..side).map(move |column| (row, column)));
        for (value, (row, column)) in square(kernel).enumerate() {
            for (pixel, (down, right)) in square(SIDE).enumerate() {
                let place = (pixel as i64 * wide + row + down) * wide + column + right;
                places[value * columns as usize + place as usize] = 1.0;
            }
        }
        let places = Tensor::f_from_slice(&places)?.f_reshape([kernel * kernel, columns])?;
        Ok(Self { kernel, places: places.f_to_kind(kind)?.f_to_device(device)? })
    }

    /// Convolves without padding, and adds the bias.
    ///
    /// # Shapes
    /// (N, C, H + kernel - 1, W + kernel - 1) to (N, C', H, W), H and W multiples of 4.
    pub fn forward(&self, conv: &Conv2d, x: &Tensor) -> Result<Tensor> {
        let [weight, bias] = conv.parameters();
        let (output, input, _, _) = weight.size4()?;
        let wide = self.kernel + SIDE - 1;
        let kernels = weight.f_reshape([output * input, self.kernel * self.kernel])?.f_matmul(&self.places)?;
        let kernels = kernels.f_view([output, input, SIDE * SIDE, wide, wide])?.f_permute([0, 2, 1, 3, 4])?;
        let kernels = kernels.f_reshape([output * SIDE * SIDE, input, wide, wide])?;
        let blocks = x.f_conv2d(&kernels, None::<Tensor>, [SIDE; 2], [0, 0], [1, 1], 1)?;
        Ok(blocks.f_pixel_shuffle(SIDE)?.f_add(&bias.f_view([1, output, 1, 1])?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::conv::ConvShape;
    use crate::nn::init::Role;
    use crate::nn::norm::Following;
    use crate::nn::{Initialization, Initializer};
    use crate::random::Seed;
    use crate::testing::Tolerance;

    /// The order of the sums differs.
    #[test]
    fn blocked_convolution_equals_the_plain_one() {
        let (device, kind) = (Device::Cpu, Kind::Double);
        let init = Initializer { seed: Seed(2), scheme: Some(Initialization::Paper), device, kind };
        let shape = ConvShape { input: 5, output: 3, kernel: 7, stride: 1, padding: 0, has_bias: true };
        let conv = Conv2d::new(shape, Role::Last, "G_A.26", &init).unwrap();
        let x = (Tensor::arange(2 * 5 * 18 * 26, (kind, device)) * 0.37).sin().view([2, 5, 18, 26]);
        let run = |work: &dyn Fn(&Tensor) -> Tensor| {
            let x = x.copy().set_requires_grad(true);
            let made = work(&x);
            let sum = (&made * (made.detach() * 3.0).cos()).sum(kind);
            let mut all = Tensor::run_backward(&[sum], &[&x, conv.parameters()[0], conv.parameters()[1]], false, false);
            all.push(made.detach());
            all
        };
        let expected = run(&|x| conv.forward(x, Following::Nothing).unwrap());
        let blocked = Blocked::new(7, device, kind).unwrap();
        let found = run(&|x| blocked.forward(&conv, x).unwrap());
        for (found, expected) in found.iter().zip(&expected) {
            Tolerance { abs: 1e-10, rel: 1e-10 }.tensor("blocked", found, expected);
        }
    }
}
