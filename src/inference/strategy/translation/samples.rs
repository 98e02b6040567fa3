//! From what the network made to samples of the other domain.

use tch::Tensor;

use super::Translation;
use crate::arrays::tensor_to_array;
use crate::error::Result;
use crate::raster::{Dtype, Raster, Samples, Source};

impl Translation<'_> {
    /// Returns the type of the samples that are made.
    pub fn dtype(&self) -> Dtype {
        if self.exact { Dtype::F32 } else { self.to.dtype() }
    }

    /// Turns what the network made into samples of the other domain.
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

    /// Returns what stands for "no data" in translations of `scene`, which has to be known before the first row is
    /// written. Images of integers without a value for it or a mask have no gaps.
    pub fn empty_value(&self, scene: &Source) -> Option<f64> {
        let names_gaps = scene.nodata().is_some_and(|value| scene.dtype().can_mean(value));
        self.empty_value_where(|| names_gaps || scene.has_mask() || scene.dtype().is_float())
    }

    /// The same where all of the image can be looked at.
    pub fn empty_value_of(&self, image: &Raster) -> Option<f64> {
        self.empty_value_where(|| image.gaps().iter().any(|&gap| gap))
    }

    /// A value of the model's that samples cannot have (-9999 in bytes) would leave gaps looking like data.
    fn empty_value_where(&self, has_gaps: impl Fn() -> bool) -> Option<f64> {
        let (dtype, own) = (self.dtype(), self.to.values().nodata);
        (own.is_some_and(|value| dtype.can_mean(value)) || has_gaps()).then(|| dtype.nodata_like(own))
    }
}
