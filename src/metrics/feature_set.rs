//! The Inception features of a set of images, and the distances between two sets.

use image::RgbImage;
use tch::Tensor;

use super::{Inception, KernelDistance, Resize, frechet_distance, kernel_distance};
use crate::error::Result;

/// Batch size for the network.
const AT_ONCE: usize = 16;

/// Features of images of one size, computed a few images at a time.
#[derive(Debug, Default)]
pub(crate) struct FeatureSet {
    waiting: Vec<RgbImage>,
    features: Vec<Tensor>,
}

/// Distances between two sets of images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FeatureDistances {
    pub fid: f64,
    pub kid: KernelDistance,
}

impl FeatureSet {
    /// Adds an image.
    pub fn add(&mut self, network: &Inception, resize: Resize, picture: RgbImage) -> Result<()> {
        self.waiting.push(picture);
        if self.waiting.len() == AT_ONCE { self.flush(network, resize) } else { Ok(()) }
    }

    fn flush(&mut self, network: &Inception, resize: Resize) -> Result<()> {
        let pictures = std::mem::take(&mut self.waiting);
        if !pictures.is_empty() {
            self.features.push(network.features(&batch(&pictures)?, resize)?);
        }
        Ok(())
    }

    /// Returns the features of all images, computing those that are missing.
    ///
    /// # Shapes
    /// (N, 2048); `None` for fewer than two images, because a single image has no distribution.
    pub fn features(&mut self, network: &Inception, resize: Resize) -> Result<Option<Tensor>> {
        self.flush(network, resize)?;
        if self.features.is_empty() {
            return Ok(None);
        }
        let all = Tensor::f_cat(&self.features, 0)?;
        Ok((all.size()[0] > 1).then_some(all))
    }
}

impl FeatureDistances {
    /// Computes the distances between two sets of features, (N, 2048) and (M, 2048).
    pub fn between(made: &Tensor, real: &Tensor) -> Result<Self> {
        Ok(Self { fid: frechet_distance(made, real)?, kid: kernel_distance(made, real)? })
    }
}

/// # Shapes
/// (N, 3, H, W) of u8.
fn batch(pictures: &[RgbImage]) -> Result<Tensor> {
    let (width, height) = pictures.first().map_or((0, 0), RgbImage::dimensions);
    let bytes: Vec<u8> = pictures.iter().flat_map(|picture| picture.as_raw().iter().copied()).collect();
    let shape = [pictures.len() as i64, i64::from(height), i64::from(width), 3];
    Ok(Tensor::f_from_slice(&bytes)?.f_reshape(shape)?.f_permute([0, 3, 1, 2])?.f_contiguous()?)
}
