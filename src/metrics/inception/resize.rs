//! Resizes images to the input size of the Inception network.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::error::Result;

/// Height and width of the network's input.
pub(crate) const SIDE: i64 = 299;

/// How images are resized to the network's input of 299x299 pixels.
///
/// Distances are comparable only between images that were resized the same way. Neither method rounds to integers.
///
/// | Variant | Resampling | Numbers compare with |
/// |---|---|---|
/// | `Tensorflow` (default) | bilinear, without antialiasing, pixel 0 on pixel 0 | most papers: the FID of Heusel et al. 2017, arXiv:1706.08500, and NVIDIA's StyleGAN code; clean-fid's `legacy_tensorflow` |
/// | `Clean` | bicubic with a = -0.5, antialiased | clean-fid's default, Parmar et al. 2022, arXiv:2104.11222 |
///
/// ```
/// use geolearn::metrics::Resize;
///
/// assert_eq!(Resize::default(), Resize::Tensorflow);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Resize {
    /// TensorFlow 1's bilinear `ResizeBilinear`, the first operation of the network's own graph. It ignores pixel
    /// centers: output pixel `i` is taken at `i * side / 299`. The default.
    #[default]
    Tensorflow,
    /// Pillow's bicubic resize on 32-bit floats, clipped to 0..=255, as in clean-fid: when shrinking, it takes all
    /// input pixels into account.
    Clean,
}

impl Resize {
    /// Resizes images; those of 299x299 pixels are unchanged.
    ///
    /// # Shapes
    /// (N, 3, H, W) of any kind to (N, 3, 299, 299) in f32, on the same device, with values in 0..=255 on both sides.
    pub(crate) fn apply(self, images: &Tensor) -> Result<Tensor> {
        match self {
            Self::Tensorflow => bilinear(&images.f_to_kind(Kind::Float)?),
            // Pillow's weights and sums are in double precision.
            Self::Clean => Ok(images
                .f_to_kind(Kind::Double)?
                .f_internal_upsample_bicubic2d_aa([SIDE, SIDE], false, None, None)?
                .f_clamp_(0.0, 255.0)?
                .f_to_kind(Kind::Float)?),
        }
    }
}

fn bilinear(images: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = images.size4()?;
    let rows = Neighbors::new(width, images.device())?.interpolate(images, 3, [1, SIDE])?;
    Neighbors::new(height, images.device())?.interpolate(&rows, 2, [SIDE, 1])
}

/// For each output pixel along a side: the two neighboring input pixels, and the distance from the first.
struct Neighbors {
    first: Tensor,
    second: Tensor,
    distance: Tensor,
}

impl Neighbors {
    /// Positions are f32, as in TensorFlow.
    fn new(side: i64, device: Device) -> Result<Self> {
        let scale = side as f32 / SIDE as f32;
        let places: Vec<f32> = (0..SIDE).map(|i| i as f32 * scale).collect();
        let first: Vec<i64> = places.iter().map(|place| (place.floor() as i64).min(side - 1)).collect();
        let second: Vec<i64> = first.iter().map(|first| (first + 1).min(side - 1)).collect();
        let distance: Vec<f32> = places.iter().map(|place| place - place.floor()).collect();
        let on_device = |tensor: Tensor| tensor.f_to_device(device);
        Ok(Self {
            first: on_device(Tensor::f_from_slice(&first)?)?,
            second: on_device(Tensor::f_from_slice(&second)?)?,
            distance: on_device(Tensor::f_from_slice(&distance)?)?,
        })
    }

    /// Interpolates along an axis. `shape` is that of the distances, for broadcasting over the last two axes.
    fn interpolate(&self, x: &Tensor, axis: i64, shape: [i64; 2]) -> Result<Tensor> {
        let first = x.f_index_select(axis, &self.first)?;
        let mut step = x.f_index_select(axis, &self.second)?.f_sub(&first)?;
        Ok(step.f_mul_(&self.distance.f_reshape(shape)?)?.f_add_(&first)?)
    }
}
