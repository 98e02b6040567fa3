//! Scores of images compared with the truth.

use ndarray::{Array3, Axis};

use super::scores::PairedScores;
use crate::dataset::{DataBunch, Domain};
use crate::error::Result;
use crate::metrics::{
    Mean, SsimWindow, absolute_errors, gradient_correlation, psnr, spectral_angle, squared_errors, ssim,
};
use crate::raster::{Dtype, Raster};

/// The span of scaled values.
const UNIT: f64 = 1.0;
/// Smaller images have no gradients.
const LEAST_SIDE: usize = 3;

/// Sums over pairs of images of one domain.
pub(super) struct PairSums {
    /// For each band, the value that becomes 0 and the span that becomes 1.
    scales: Vec<(f64, f64)>,
    window: SsimWindow,
    pairs: usize,
    errors: Vec<Mean>,
    psnr: Mean,
    ssim: Mean,
    gradients: Mean,
    angle: Mean,
}

impl PairSums {
    pub fn new(data: &DataBunch, domain: Domain, window: SsimWindow) -> Self {
        let scales = scales(data, domain);
        let errors = vec![Mean::default(); scales.len()];
        let [psnr, ssim, gradients, angle] = [Mean::default(); 4];
        Self { scales, window, pairs: 0, errors, psnr, ssim, gradients, angle }
    }

    /// Adds an image and its truth, of the same size and bands.
    pub fn add(&mut self, made: &Raster, truth: &Raster) -> Result<()> {
        let (made, truth) = (made.values_with_gaps(), truth.values_with_gaps());
        if made.dim().0 > 1 {
            self.angle += spectral_angle(made.mapv(|v| v as f32).view(), truth.mapv(|v| v as f32).view())?;
        }
        let (made, truth) = (self.scaled(made), self.scaled(truth));
        let (made, truth) = (made.view(), truth.view());
        let errors = absolute_errors(made, truth)?;
        self.errors.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error);
        let psnr = psnr(squared_errors(made, truth)?.into_iter().sum(), UNIT)?;
        self.psnr += psnr.into_iter().filter(|psnr| psnr.is_finite()).collect();
        let (_, height, width) = truth.dim();
        if height.min(width) >= LEAST_SIDE {
            self.gradients += gradient_correlation(made, truth)?.into_iter().sum();
        }
        if height.min(width) >= self.window.side() {
            self.ssim += ssim(made, truth, UNIT, self.window)?.into_iter().sum();
        }
        self.pairs += 1;
        Ok(())
    }

    /// Scales each band to its range, so that bands in any units count equally.
    fn scaled(&self, image: Array3<f64>) -> Array3<f32> {
        let mut scaled = Array3::zeros(image.dim());
        for ((mut to, from), (least, span)) in
            scaled.axis_iter_mut(Axis(0)).zip(image.axis_iter(Axis(0))).zip(&self.scales)
        {
            to.zip_mut_with(&from, |to, from| *to = ((from - least) / span) as f32);
        }
        scaled
    }

    /// Returns the means; `None` if there are no pairs.
    pub fn scores(self) -> Option<PairedScores> {
        let in_units = |(error, (_, span)): (&Mean, &(f64, f64))| error.value().map(|error| error * span);
        (self.pairs > 0).then(|| PairedScores {
            pairs: self.pairs,
            mae: self.errors.iter().zip(&self.scales).map(in_units).collect(),
            psnr: self.psnr.value(),
            ssim: self.ssim.value(),
            gradient_correlation: self.gradients.value(),
            spectral_angle: self.angle.value(),
        })
    }
}

/// Returns minimum and span of each band: those of bytes, or else the range of the domain's values.
fn scales(data: &DataBunch, domain: Domain) -> Vec<(f64, f64)> {
    let scaling = data.normalizer(domain);
    let scale = |(&min, &max): (&f64, &f64)| match data.dtype(domain) {
        Dtype::U8 => (0.0, 255.0),
        _ if max > min => (min, max - min),
        _ => (min, 1.0),
    };
    scaling.min().iter().zip(scaling.max()).map(scale).collect()
}
