//! Instance norms, whose statistics come from the image itself, as in training, or from the scene that it is part of.

use tch::{Kind, Tensor};

use super::layers::{EPSILON, instance_norm, norm_activation};
use crate::error::{Error, ErrorKind, Result};
use crate::ffi;

/// What follows a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Following {
    /// An instance norm with the image's own statistics. It cancels the bias: nothing depends on it, and its gradient
    /// is 0.
    Norm,
    Nothing,
}

impl Following {
    /// Returns the bias, unless a norm cancels it.
    pub(super) fn bias(self, bias: &Tensor) -> Option<&Tensor> {
        (self == Self::Nothing).then_some(bias)
    }
}

/// Normalizes the outputs of a network's convolutions, in the order of the layers.
pub(crate) trait Norm {
    /// # Shapes
    /// (N, C, H, W) to the same.
    fn apply(&mut self, x: &Tensor) -> Result<Tensor>;

    /// Returns what the preceding convolution is followed by.
    fn following(&self) -> Following {
        Following::Nothing
    }

    /// Normalizes and rectifies; `slope` applies to values below zero.
    fn rectified(&mut self, x: &Tensor, slope: f64) -> Result<Tensor> {
        let y = self.apply(x)?;
        if slope == 0.0 { Ok(y.shallow_clone().f_relu_()?) } else { ffi::leaky_relu(&y, slope) }
    }

    /// Applies dropout if the network is being trained; otherwise keeps all values.
    fn dropout(&mut self, x: &Tensor) -> Result<Tensor> {
        Ok(x.shallow_clone())
    }

    /// Runs a residual block of two 3x3 convolutions with this norm as one kernel; returns `None` if there is no such
    /// kernel. The parameters are weight and bias of both convolutions.
    fn residual(&mut self, _x: &Tensor, _parameters: [&Tensor; 4]) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

/// Normalizes each image by its own statistics, as in training.
pub(crate) struct ImageNorm;

impl Norm for ImageNorm {
    fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        instance_norm(x)
    }

    fn following(&self) -> Following {
        Following::Norm
    }

    fn rectified(&mut self, x: &Tensor, slope: f64) -> Result<Tensor> {
        norm_activation(x, slope)
    }

    fn residual(&mut self, x: &Tensor, parameters: [&Tensor; 4]) -> Result<Option<Tensor>> {
        ffi::residual(x, parameters, EPSILON)
    }
}

/// Does nothing, for convolutions with folded norms.
pub(super) struct IdentityNorm;

impl Norm for IdentityNorm {
    fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        Ok(x.shallow_clone())
    }

    fn residual(&mut self, x: &Tensor, parameters: [&Tensor; 4]) -> Result<Option<Tensor>> {
        ffi::residual_without_norms(x, parameters)
    }
}

/// Statistics of one layer.
///
/// # Shapes
/// Both (1, C, 1, 1) if all images share them, otherwise (N, C, 1, 1).
#[derive(Debug)]
pub(crate) struct Moments {
    pub mean: Tensor,
    /// One over the standard deviation, including the norm's epsilon.
    pub scale: Tensor,
}

impl Moments {
    /// The same; the tensors share their memory.
    pub fn shallow_clone(&self) -> Self {
        Self { mean: self.mean.shallow_clone(), scale: self.scale.shallow_clone() }
    }
}

/// Normalizes by the statistics of those pixels that have data, and keeps the statistics.
///
/// Every layer is normalized before the next one is measured, so the statistics are consistent: statistics pooled over
/// pieces of an image are those of the image, except for the effect of the pieces' borders.
pub(crate) struct GatheringNorm {
    /// Whether statistics are pooled over the batch, or computed for each image.
    is_pooled: bool,
    /// 1 where there is data, at full size: (N, 1, H, W). `None` if there is data everywhere.
    mask: Option<Tensor>,
    pub layers: Vec<Moments>,
}

impl GatheringNorm {
    /// Gathers one set of statistics for the whole batch.
    pub fn pooled(mask: Option<Tensor>) -> Self {
        Self { is_pooled: true, mask, layers: Vec::new() }
    }

    /// Gathers statistics for each image.
    pub fn of_each(mask: Option<Tensor>) -> Self {
        Self { is_pooled: false, ..Self::pooled(mask) }
    }

    fn moments(&self, x: &Tensor) -> Result<Moments> {
        let dims: &[i64] = if self.is_pooled { &[0, 2, 3] } else { &[2, 3] };
        let mean_of = |values: &Tensor, weights: Option<&Tensor>| match weights {
            None => values.f_mean_dim(dims, true, Kind::Float),
            Some(weights) => values.f_multiply(weights)?.f_sum_dim_intlist(dims, true, Kind::Float),
        };
        let weights = self.mask.as_ref().map(|mask| shares(mask, x, dims)).transpose()?;
        let mean = mean_of(x, weights.as_ref())?;
        let deviation = x.f_sub(&mean)?;
        let variance = mean_of(&deviation.f_square()?, weights.as_ref())?;
        Ok(Moments { mean, scale: ffi::add(&variance, EPSILON)?.f_rsqrt()? })
    }
}

impl Norm for GatheringNorm {
    fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        let moments = self.moments(x)?;
        let y = x.f_sub(&moments.mean)?.f_multiply_(&moments.scale)?;
        self.layers.push(moments);
        Ok(y)
    }
}

/// Returns the weight of each pixel of `x`: its share of data, with a total of 1.
fn shares(mask: &Tensor, x: &Tensor, dims: &[i64]) -> Result<Tensor> {
    let (_, _, full, _) = mask.size4()?;
    let (_, _, height, _) = x.size4()?;
    let ratio = full / height.max(1);
    let data = match ratio {
        1 => mask.shallow_clone(),
        _ => mask.f_avg_pool2d([ratio; 2], [ratio; 2], [0; 2], false, true, None)?,
    };
    let total = data.f_sum_dim_intlist(dims, true, Kind::Float)?;
    // If no pixel counts, the sums are 0 anyway.
    Ok(data.f_divide(&ffi::at_least(&total, f64::from(f32::MIN_POSITIVE))?)?)
}

/// Normalizes by statistics that vary from pixel to pixel: bilinear interpolation between the nodes of a grid, as in
/// Dense Normalization (Ho et al. 2024, arXiv:2407.04245).
pub(crate) struct InterpolatedNorm<'a> {
    /// Mean and scale at the nodes for each layer: (C, rows, columns).
    pub layers: &'a [Moments],
    /// Positions of the nodes in the image.
    pub rows: NodeLine,
    pub columns: NodeLine,
    /// Height of the image at full size.
    pub height: i64,
    layer: usize,
}

/// Positions of nodes along a side, in pixels from the image's edge: `first`, `first + spacing`, ….
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeLine {
    pub first: f64,
    pub spacing: f64,
}

impl<'a> InterpolatedNorm<'a> {
    pub fn new(layers: &'a [Moments], rows: NodeLine, columns: NodeLine, height: i64) -> Self {
        Self { layers, rows, columns, height, layer: 0 }
    }
}

impl Norm for InterpolatedNorm<'_> {
    fn apply(&mut self, x: &Tensor) -> Result<Tensor> {
        let moments = self.layers.get(self.layer).ok_or_else(too_few)?;
        self.layer += 1;
        let (_, _, height, width) = x.size4()?;
        let ratio = self.height / height.max(1);
        let at = |grid: &Tensor| -> Result<Tensor> {
            let (_, rows, columns) = grid.size3()?;
            let down = self.rows.weights(height, ratio, rows)?.f_to_device(grid.device())?;
            let across = self.columns.weights(width, ratio, columns)?.f_to_device(grid.device())?;
            // bfloat16 would round the nodes' weights, too.
            ffi::without_autocast(grid.device(), || Ok(down.f_matmul(grid)?.f_matmul(&across.f_transpose(0, 1)?)?))
        };
        Ok(x.f_sub(&at(&moments.mean)?)?.f_multiply_(&at(&moments.scale)?)?)
    }
}

impl NodeLine {
    /// Returns the weight of each node at each of `count` pixels, each of which covers `ratio` pixels of the image.
    fn weights(self, count: i64, ratio: i64, nodes: i64) -> Result<Tensor> {
        let last = (nodes - 1).max(0) as f64;
        let mut weights = vec![0f32; (count * nodes) as usize];
        for (i, line) in weights.chunks_exact_mut(nodes.max(1) as usize).enumerate() {
            let pixel = (i as f64 + 0.5) * ratio as f64;
            let position = ((pixel - self.first) / self.spacing).clamp(0.0, last);
            let low = position.floor();
            let share = (position - low) as f32;
            line[low as usize] += 1.0 - share;
            if share > 0.0 {
                line[low as usize + 1] += share;
            }
        }
        Ok(Tensor::f_from_slice(&weights)?.f_reshape([count, nodes])?)
    }
}

pub(super) fn too_few() -> Error {
    Error::new(ErrorKind::Usage, "there are statistics for fewer layers than the network has")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    fn waves(shape: [i64; 4]) -> Tensor {
        (Tensor::arange(shape.iter().product::<i64>(), (Kind::Float, Device::Cpu)) * 0.37).sin().view(shape) * 3.0 + 1.0
    }

    fn close(a: &Tensor, b: &Tensor) {
        let difference = (a - b).abs().max().double_value(&[]);
        assert!(difference < 1e-5, "{difference}");
    }

    /// Compared with libtorch's own layer; 1e-5 is about ten units in the last place of values up to 3.
    #[test]
    fn statistics_of_each_image_are_those_of_instance_norm() {
        let x = waves([2, 3, 8, 12]);
        close(&GatheringNorm::of_each(None).apply(&x).unwrap(), &instance_norm(&x).unwrap());
    }

    /// Two halves side by side are one image.
    #[test]
    fn pooled_statistics_equal_those_of_the_whole() {
        let x = waves([2, 3, 8, 12]);
        let whole = Tensor::cat(&[x.get(0), x.get(1)], 2).unsqueeze(0);
        let mut pooled = GatheringNorm::pooled(None);
        let y = pooled.apply(&x).unwrap();
        close(&Tensor::cat(&[y.get(0), y.get(1)], 2).unsqueeze(0), &instance_norm(&whole).unwrap());
        assert_eq!(pooled.layers[0].mean.size(), [1, 3, 1, 1]);
    }

    #[test]
    fn pixels_without_data_do_not_count() {
        let x = waves([1, 2, 8, 8]);
        let mask = Tensor::zeros([1, 1, 16, 16], (Kind::Float, Device::Cpu));
        let _ = mask.narrow(3, 0, 8).fill_(1.0);
        let y = GatheringNorm::pooled(Some(mask.shallow_clone())).apply(&x).unwrap();
        close(&y.narrow(3, 0, 4), &instance_norm(&x.narrow(3, 0, 4)).unwrap());
        let nothing = GatheringNorm::pooled(Some(mask.zeros_like())).apply(&x).unwrap();
        assert_eq!(nothing.isfinite().all().int64_value(&[]), 1);
    }

    /// With one node the field is constant; halfway between nodes it is their mean.
    #[test]
    fn a_field_is_bilinear_between_its_nodes() {
        let node = |values: &[f32]| Tensor::from_slice(values).view([1, 1, values.len() as i64]);
        let layers = [Moments { mean: node(&[1.0, 3.0]), scale: node(&[2.0, 2.0]) }];
        let x = Tensor::zeros([1, 1, 1, 5], (Kind::Float, Device::Cpu));
        let line = |first, spacing| NodeLine { first, spacing };
        let y = InterpolatedNorm::new(&layers, line(0.5, 1.0), line(0.5, 4.0), 1).apply(&x).unwrap();
        assert_eq!(Vec::<f32>::try_from(y.flatten(0, -1)).unwrap(), [-2.0, -3.0, -4.0, -5.0, -6.0]);
    }
}
