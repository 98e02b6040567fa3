//! An image in other scales of its bands.

use ndarray::{Array3, Axis};

use super::sample::{Gap, Sample};
use super::samples::with_array;
use super::{BandScale, Raster, Samples};

impl Raster {
    /// The same values as samples of other scales, in double precision; NaN where there are no data.
    pub(crate) fn in_scales(&self, wanted: &[BandScale]) -> Self {
        let whole = self.whole_gaps();
        let values = with_array!(&self.samples, data => {
            let gap = Gap::new(self.sample_nodata());
            let mut values = Array3::from_elem(data.dim(), f64::NAN);
            for ((band, mut to), from) in values.axis_iter_mut(Axis(0)).enumerate().zip(data.axis_iter(Axis(0))) {
                let (own, wanted) = (self.band_scales[band], wanted.get(band).copied().unwrap_or_default());
                to.zip_mut_with(&from, |to, &sample| {
                    if !gap.holds(sample) {
                        *to = wanted.sample(own.value(sample.to_f64()));
                    }
                });
            }
            values
        });
        let mut converted = self.replaced(values.into()).with_nodata(None).with_band_scales(wanted.iter().copied());
        if let (Some(gaps), Samples::F64(values)) = (whole, &mut converted.samples) {
            let empty = |value: &mut f64, gap: &bool| *value = if *gap { f64::NAN } else { *value };
            values.outer_iter_mut().for_each(|mut band| band.zip_mut_with(&gaps, empty));
        }
        converted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_and_gaps_too() {
        let image = Raster::new(Array3::from_shape_vec((1, 1, 3), vec![1000u16, 0, 6000]).unwrap()).unwrap();
        let image = image.with_nodata(0.0).with_band_scales([BandScale::new(0.0001, -0.1)]);
        let converted = image.in_scales(&[BandScale::new(0.01, 0.0)]);
        let Samples::F64(values) = converted.samples() else { panic!("double precision") };
        assert!(values[(0, 0, 0)].abs() < 1e-12 && (values[(0, 0, 2)] - 50.0).abs() < 1e-12);
        assert_eq!(converted.gaps(), image.gaps());
        let same = image.in_scales(image.band_scales());
        assert!((same.samples().to_f32()[(0, 0, 2)] - 6000.0).abs() < 1e-3);
    }
}
