//! Converts the network's output to samples of the target domain.

use tch::Tensor;

use super::Translation;
use crate::arrays::tensor_to_array;
use crate::error::Result;
use crate::raster::{Dtype, Raster, Samples, Source};

impl Translation<'_> {
    /// Returns the type of the output samples.
    pub fn dtype(&self) -> Dtype {
        if self.exact { Dtype::F32 } else { self.to.dtype() }
    }

    /// Converts the network's output to samples of the target domain.
    ///
    /// # Shapes
    /// (C, H, W) in [-1, 1] to (bands, H, W), with `empty` where `image`, of the same size, has no data in any band.
    pub fn samples(&self, made: &Tensor, image: &Raster, empty: Option<f64>) -> Result<Samples> {
        let made = tensor_to_array(made)?;
        if self.exact {
            let made = Raster::new(self.to.denormalize(made.view())?)?;
            return Ok(made.with_gaps_of(image, Some(f64::NAN)).into_samples());
        }
        Ok(self.to.to_raster(made.view())?.with_gaps_of(image, empty).into_samples())
    }

    /// Returns the value that means "no data" in translations of `scene`, which has to be known before the first row is
    /// written. Integer images without a nodata value or a mask have no gaps.
    pub fn empty_value(&self, scene: &Source) -> Option<f64> {
        let names_gaps = scene.nodata().is_some_and(|value| scene.dtype().can_mean(value));
        self.empty_value_where(|| names_gaps || scene.has_mask() || scene.dtype().is_float())
    }

    /// Returns the same for an image in memory, all of which can be examined.
    pub fn empty_value_of(&self, image: &Raster) -> Option<f64> {
        self.empty_value_where(|| image.gaps().iter().any(|&gap| gap))
    }

    /// A nodata value of the model that its samples cannot represent (-9999 in bytes) would make gaps look like data.
    fn empty_value_where(&self, has_gaps: impl Fn() -> bool) -> Option<f64> {
        let (dtype, own) = (self.dtype(), self.to.values().nodata);
        (own.is_some_and(|value| dtype.can_mean(value)) || has_gaps()).then(|| dtype.nodata_like(own))
    }
}
