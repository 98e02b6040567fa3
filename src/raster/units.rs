//! Converts samples between scales and offsets.

use ndarray::{Array3, Axis};

use super::pixel::{Gap, Sample};
use super::samples::with_array;
use super::{BandScale, Dtype, Raster, say_anything};

/// The conversion that gives samples the same meaning as those of other images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// None: the scales agree.
    None,
    /// None, but scales differ: of two images of the same type, one has no scales and has most likely lost them.
    Doubtful,
    /// From one scale to the other, via physical values.
    Needed,
}

impl Conversion {
    /// Returns the conversion from samples of one type and scales to another; without scales, the target is unknown.
    pub fn between((from, scales): (Dtype, &[BandScale]), (to, wanted): (Dtype, &[BandScale])) -> Self {
        if wanted.is_empty() && say_anything(scales) {
            return Self::Doubtful;
        }
        if scales == wanted || scales.len() != wanted.len() {
            return Self::None;
        }
        let states_both = say_anything(scales) && say_anything(wanted);
        if states_both || from != to { Self::Needed } else { Self::Doubtful }
    }
}

impl Raster {
    /// Converts to samples of other scales, in double precision, with NaN for nodata.
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
        if let (Some(gaps), super::Samples::F64(values)) = (whole, &mut converted.samples) {
            let empty = |value: &mut f64, gap: &bool| *value = if *gap { f64::NAN } else { *value };
            values.outer_iter_mut().for_each(|mut band| band.zip_mut_with(&gaps, empty));
        }
        converted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [BandScale; 1] = [BandScale { scale: 1.0, offset: 0.0 }];

    #[test]
    fn scales_are_converted_where_that_is_what_they_say() {
        let (one, other) = ([BandScale::new(0.0001, -0.1)], [BandScale::new(0.001, 0.0)]);
        let between = |from, to| Conversion::between(from, to);
        assert_eq!(between((Dtype::U16, &one), (Dtype::I16, &one)), Conversion::None);
        assert_eq!(between((Dtype::U16, &one), (Dtype::U16, &other)), Conversion::Needed);
        assert_eq!(between((Dtype::F32, &PLAIN), (Dtype::U16, &one)), Conversion::Needed);
        assert_eq!(between((Dtype::U16, &PLAIN), (Dtype::U16, &one)), Conversion::Doubtful);
        assert_eq!(between((Dtype::U16, &one), (Dtype::F32, &[])), Conversion::Doubtful);
        assert_eq!(between((Dtype::U16, &PLAIN), (Dtype::F32, &[])), Conversion::None);
        assert_eq!(between((Dtype::U16, &one), (Dtype::U16, &PLAIN)), Conversion::Doubtful);
    }

    #[test]
    fn values_stay_and_gaps_too() {
        let image = Raster::new(Array3::from_shape_vec((1, 1, 3), vec![1000u16, 0, 6000]).unwrap()).unwrap();
        let image = image.with_nodata(0.0).with_band_scales([BandScale::new(0.0001, -0.1)]);
        let converted = image.in_scales(&[BandScale::new(0.01, 0.0)]);
        let super::super::Samples::F64(values) = converted.samples() else { panic!("double precision") };
        assert!(values[(0, 0, 0)].abs() < 1e-12 && (values[(0, 0, 2)] - 50.0).abs() < 1e-12);
        assert_eq!(converted.gaps(), image.gaps());
        let same = image.in_scales(image.band_scales());
        assert!((same.samples().to_f32()[(0, 0, 2)] - 6000.0).abs() < 1e-3);
    }
}
