//! Layers that double height and width.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::conv::{Conv2d, ConvShape, folded_bias, no_bias};
use super::init::{Initializer, Role, UpsamplingInit};
use super::layers::{EPSILON, reflect};
use super::norm::{Following, Moments};
use crate::error::Result;
use crate::ffi::{self, ConvolutionForm, NormForm};

/// The layers that double height and width in a generator.
///
/// ```
/// use geolearn::nn::Upsampling;
/// use geolearn::{CycleGan, DatasetType, prepare_data};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// let builder = CycleGan::builder(&data).upsampling(Upsampling::Resize);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Upsampling {
    /// Transposed convolutions, as in the paper, arcgis.learn and the research code. The default.
    #[default]
    Transposed,
    /// Nearest-neighbor upsampling followed by a 3x3 convolution (Odena et al. 2016, doi:10.23915/distill.00003). It
    /// avoids the checkerboard, but needs four times the multiplications of these layers. Other programs cannot open
    /// such a model; its exports run everywhere.
    Resize,
}

/// An upsampling layer of either kind.
#[derive(Debug)]
pub(crate) enum UpsamplingLayer {
    Transposed(Transposed),
    Resize(Conv2d),
}

impl UpsamplingLayer {
    pub fn new(shape: UpsamplingShape, name: &str, init: &Initializer) -> Result<Self> {
        Ok(match shape.form {
            Upsampling::Transposed => Self::Transposed(Transposed::new(shape, name, init)?),
            Upsampling::Resize => Self::Resize(Conv2d::new(shape.convolution(), Role::Inner, name, init)?),
        })
    }

    /// Creates a layer with these weights.
    pub fn with_weights(shape: UpsamplingShape, weights: [Tensor; 2]) -> Self {
        match shape.form {
            Upsampling::Transposed => {
                let [weight, bias] = weights;
                Self::Transposed(Transposed { weight, bias })
            }
            Upsampling::Resize => Self::Resize(Conv2d::with_weights(shape.convolution(), weights)),
        }
    }

    /// # Shapes
    /// (N, input, H, W) to (N, output, 2H, 2W).
    pub fn forward(&self, x: &Tensor, following: Following) -> Result<Tensor> {
        match self {
            Self::Transposed(layer) => layer.forward(x, following),
            Self::Resize(conv) => conv.forward(&reflect(&doubled(x)?, 1)?, following),
        }
    }

    /// Folds the norm that follows into the convolution.
    pub fn folded(&self, moments: &Moments) -> Result<Self> {
        Ok(match self {
            Self::Transposed(layer) => Self::Transposed(layer.folded(moments)?),
            Self::Resize(conv) => Self::Resize(conv.folded(moments)?),
        })
    }

    /// Runs the convolution with the norm and the rectifier that follow it, using our own CUDA layers, and adds a
    /// border.
    pub fn rectified(&self, x: &Tensor, slope: f64, border: i64) -> Result<Tensor> {
        match self {
            Self::Transposed(layer) => layer.rectified(x, slope, border),
            Self::Resize(conv) => conv.rectified(&reflect(&doubled(x)?, 1)?, slope, border),
        }
    }

    /// Returns the same layer; the tensors share memory.
    pub fn shallow_clone(&self) -> Result<Self> {
        Ok(match self {
            Self::Transposed(Transposed { weight, bias }) => {
                Self::Transposed(Transposed { weight: weight.shallow_clone(), bias: bias.shallow_clone() })
            }
            Self::Resize(conv) => Self::Resize(conv.applied()?),
        })
    }

    /// Returns weight and bias; a layer without bias returns zeros for it.
    pub fn parameters(&self) -> [&Tensor; 2] {
        match self {
            Self::Transposed(layer) => [&layer.weight, &layer.bias],
            Self::Resize(conv) => conv.parameters(),
        }
    }
}

/// Shape of an upsampling layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UpsamplingShape {
    pub form: Upsampling,
    /// Of transposed convolutions.
    pub start: UpsamplingInit,
    pub input: i64,
    pub output: i64,
    /// 3, or 4 for some transposed convolutions.
    pub kernel: i64,
    pub has_bias: bool,
}

impl UpsamplingShape {
    /// Returns the shape of the convolution of a doubled map with a border.
    fn convolution(self) -> ConvShape {
        let Self { input, output, kernel, has_bias, .. } = self;
        ConvShape { input, output, kernel, stride: 1, padding: 0, has_bias }
    }
}

/// Repeats each pixel in both directions.
pub(super) fn doubled(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.size4()?;
    Ok(x.f_upsample_nearest2d([2 * height, 2 * width], 2.0, 2.0)?)
}

/// A transposed convolution that doubles height and width: stride 2, padding 1, and output padding 1 for a 3x3 kernel.
#[derive(Debug)]
pub(super) struct Transposed {
    weight: Tensor,
    /// Zeros that are not trained, if the layer has no bias.
    bias: Tensor,
}

impl Transposed {
    pub fn new(shape: UpsamplingShape, name: &str, init: &Initializer) -> Result<Self> {
        let UpsamplingShape { start, input, output, kernel, has_bias, .. } = shape;
        let (weight, bias) = init.upsampling(name, start, [input, output, kernel, kernel])?;
        let bias = if has_bias { bias } else { no_bias(&weight, output)? };
        Ok(Self { weight, bias })
    }

    /// # Shapes
    /// (N, input, H, W) to (N, output, 2H, 2W).
    pub fn forward(&self, x: &Tensor, following: Following) -> Result<Tensor> {
        let has_output_padding = self.weight.size4()?.3 == 3;
        // Our own layers support this shape.
        if has_output_padding && let Some(made) = ffi::convolution(x, &self.weight, &self.bias, Self::form(following))?
        {
            return Ok(made);
        }
        let more = i64::from(has_output_padding);
        Ok(x.f_conv_transpose2d(&self.weight, following.bias(&self.bias), [2, 2], [1, 1], [more; 2], 1, [1, 1])?)
    }

    fn form(following: Following) -> ConvolutionForm {
        ConvolutionForm { stride: 2, padding: 1, transposed: true, normalized: following == Following::Norm }
    }

    fn rectified(&self, x: &Tensor, slope: f64, border: i64) -> Result<Tensor> {
        let norm = NormForm { slope, epsilon: EPSILON, border };
        ffi::convolution_norm(x, &self.weight, Self::form(Following::Norm), norm)
    }

    /// Folds the norm that follows into the convolution.
    pub fn folded(&self, moments: &Moments) -> Result<Self> {
        let scale = moments.scale.f_reshape([1, -1, 1, 1])?;
        Ok(Self { weight: self.weight.f_multiply(&scale)?, bias: folded_bias(&self.bias, moments)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Initialization;
    use crate::random::Seed;
    use tch::{Device, Kind};

    fn shape(start: UpsamplingInit, input: i64, output: i64) -> UpsamplingShape {
        UpsamplingShape { form: Upsampling::Transposed, start, input, output, kernel: 3, has_bias: true }
    }

    /// Returns how much the four output pixels of a constant map differ, away from the borders.
    fn grid(start: UpsamplingInit) -> f64 {
        let scheme = Some(Initialization::Paper);
        let init = Initializer { seed: Seed(5), scheme, device: Device::Cpu, kind: Kind::Double };
        let layer = Transposed::new(shape(start, 16, 8), "layer", &init).unwrap();
        let x = Tensor::ones([1, 16, 6, 6], (Kind::Double, Device::Cpu));
        let made = layer.forward(&x, Following::Nothing).unwrap().narrow(2, 2, 8).narrow(3, 2, 8);
        (made.amax([2, 3], false) - made.amin([2, 3], false)).max().double_value(&[])
    }

    /// With bilinear initialization, a constant map has no energy at the frequency of the grid; 1e-14 is the rounding
    /// of sums of 64 weights near 0.02. The default initialization makes a grid of the size of a weight.
    #[test]
    fn a_bilinear_start_makes_no_checkerboard() {
        assert!(grid(UpsamplingInit::Bilinear) < 1e-14, "{}", grid(UpsamplingInit::Bilinear));
        assert!(grid(UpsamplingInit::Scheme) > 0.02, "{}", grid(UpsamplingInit::Scheme));
    }

    /// Between the pixels of a map lies their mean, as in bilinear interpolation.
    #[test]
    fn a_bilinear_start_interpolates() {
        let scheme = Some(Initialization::Paper);
        let init = Initializer { seed: Seed(5), scheme, device: Device::Cpu, kind: Kind::Double };
        let layer = Transposed::new(shape(UpsamplingInit::Bilinear, 1, 1), "layer", &init).unwrap();
        let x = Tensor::from_slice(&[1.0, 5.0, 3.0, 7.0]).view([1, 1, 2, 2]);
        let made = layer.forward(&x, Following::Nothing).unwrap();
        let gain = made.double_value(&[0, 0, 0, 0]);
        let found = Vec::<f64>::try_from((made / gain).narrow(2, 0, 3).narrow(3, 0, 3).flatten(0, -1)).unwrap();
        let expected = [1.0, 3.0, 5.0, 2.0, 4.0, 6.0, 3.0, 5.0, 7.0];
        found.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{found:?}"));
    }

    /// The same kernel with libtorch's own interpolation; 1e-12 is rounding. A constant map stays constant.
    #[test]
    fn a_resize_convolution_is_interpolation_and_convolution() {
        let scheme = Some(Initialization::Paper);
        let init = Initializer { seed: Seed(5), scheme, device: Device::Cpu, kind: Kind::Double };
        let (form, start) = (Upsampling::Resize, UpsamplingInit::Scheme);
        let shape = UpsamplingShape { form, ..shape(start, 3, 2) };
        let layer = UpsamplingLayer::new(shape, "l", &init).unwrap();
        let x = Tensor::arange(60, (Kind::Double, Device::Cpu)).sin().view([1, 3, 4, 5]);
        let [weight, bias] = layer.parameters();
        let large = x.repeat_interleave_self_int(2, 2, None).repeat_interleave_self_int(2, 3, None);
        let padded = large.reflection_pad2d([1, 1, 1, 1]);
        let expected = padded.conv2d(weight, Some(bias), [1, 1], [0, 0], [1, 1], 1);
        let made = layer.forward(&x, Following::Nothing).unwrap();
        assert_eq!(made.size(), [1, 2, 8, 10]);
        assert!((made - expected).abs().max().double_value(&[]) < 1e-12);
        let flat = layer.forward(&x.ones_like(), Following::Nothing).unwrap();
        assert!((flat.amax([2, 3], false) - flat.amin([2, 3], false)).max().double_value(&[]) < 1e-14);
    }
}
