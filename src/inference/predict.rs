//! One image through one generator.

use ndarray::{Array3, ArrayView3};
use tch::{Kind, Tensor};

use crate::dataset::Normaliser;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Raster;

/// Scales `image` by the statistics of its domain, runs `network` and scales back by those of the other.
///
/// # Shapes
/// (bands of the one domain, H, W) in its units to (bands of the other, H, W) in theirs.
pub(crate) fn predict_array(
    image: ArrayView3<'_, f32>,
    from: &Normaliser,
    to: &Normaliser,
    network: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Array3<f32>> {
    to.denormalise(run(from.normalise(image)?, network)?.view())
}

/// The same for images with their place; the result has the type of the other domain's samples, and no data where no
/// band of `image` has any.
pub(crate) fn predict_raster(
    image: &Raster,
    from: &Normaliser,
    to: &Normaliser,
    network: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Raster> {
    let made = to.to_raster(run(from.normalise_raster(image)?, network)?.view())?;
    Ok(made.with_place(image.place().clone()).with_gaps_of(image, to.values().nodata))
}

fn run(input: Array3<f32>, network: impl FnOnce(&Tensor) -> Result<Tensor>) -> Result<Array3<f32>> {
    let (channels, height, width) = input.dim();
    if height == 0 || width == 0 {
        return Err(Error::new(ErrorKind::Usage, "image is empty").found(format!("{width} x {height} pixels")));
    }
    let shape = [1, channels as i64, height as i64, width as i64];
    let (values, _) = input.into_raw_vec_and_offset();
    let tensor = Tensor::f_from_slice(&values)?.f_reshape(shape)?;
    tensor_to_array(&tch::no_grad(|| network(&tensor))?.f_squeeze_dim(0)?)
}

/// # Shapes
/// (C, H, W) of any float dtype and device to the same.
pub(crate) fn tensor_to_array(tensor: &Tensor) -> Result<Array3<f32>> {
    let (channels, height, width) = tensor.size3()?;
    let flat = tensor.f_to_kind(Kind::Float)?.f_reshape([-1])?;
    let values = Vec::<f32>::try_from(flat)?;
    Array3::from_shape_vec((channels as usize, height as usize, width as usize), values)
        .map_err(|e| Error::new(ErrorKind::Torch, "tensor has an unexpected shape").because(e))
}
