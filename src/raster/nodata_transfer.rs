//! Transfers nodata pixels from one image to another.

use std::borrow::Cow;

use ndarray::{Array2, Array3, Axis};

use super::Raster;
use super::pixel::{Gap, Sample};
use super::samples::with_array;

impl Raster {
    /// Returns the same image, with nodata in each pixel where no band of `other`, of the same height and width, has
    /// data.
    ///
    /// `nodata` is the nodata value to use. If it is `None`, or cannot be represented by the samples, it is NaN in
    /// floating-point images and 0 in others, if one is needed. A sample that happens to have this value becomes the
    /// next value toward 0.
    pub(crate) fn with_gaps_of(self, other: &Self, nodata: Option<f64>) -> Self {
        let gaps = other.gaps();
        let nodata = nodata.filter(|&value| self.dtype().can_mean(value));
        if nodata.is_none() && !gaps.iter().any(|&gap| gap) {
            return self;
        }
        let value = self.dtype().nodata_like(nodata);
        let Self { samples, place, band_names, band_scales, opacity, .. } = self;
        let samples = with_array!(samples, data => emptied(data, &gaps, value).into());
        Self { samples, place, band_names, band_scales, nodata: Some(value), hidden: None, opacity }
    }

    /// Returns the same image with nodata values instead of a mask, if there is a nodata value that masked pixels can
    /// have.
    pub(super) fn with_mask_in_nodata(&self) -> Cow<'_, Self> {
        let nodata = self.nodata.filter(|&value| self.dtype().can_mean(value));
        let (Some(hidden), Some(value)) = (&self.hidden, nodata) else { return Cow::Borrowed(self) };
        let samples = with_array!(&self.samples, data => filled(data.clone(), hidden, value).into());
        Cow::Owned(self.replaced(samples))
    }

    /// Returns the samples as numbers, with NaN for nodata.
    ///
    /// # Shapes
    /// (bands, height, width).
    pub(crate) fn values_with_gaps(&self) -> Array3<f64> {
        let mut values = with_array!(&self.samples, data => {
            let gap = Gap::new(self.sample_nodata());
            data.mapv(|value| if gap.holds(value) { f64::NAN } else { value.to_f64() })
        });
        if let Some(gaps) = self.whole_gaps() {
            let emptied = |value: &mut f64, gap: &bool| *value = if *gap { f64::NAN } else { *value };
            values.outer_iter_mut().for_each(|mut band| band.zip_mut_with(&gaps, emptied));
        }
        values
    }
}

fn filled<T: Sample>(mut data: Array3<T>, hidden: &Array2<bool>, value: f64) -> Array3<T> {
    let Some(empty) = T::meant_by(value) else { return data };
    for mut band in data.axis_iter_mut(Axis(0)) {
        band.zip_mut_with(hidden, |sample, hidden| *sample = if *hidden { empty } else { *sample });
    }
    data
}

fn emptied<T: Sample>(mut data: Array3<T>, gaps: &Array2<bool>, value: f64) -> Array3<T> {
    let Some(empty) = T::meant_by(value) else { return data };
    let nodata = Gap::new(Some(value));
    for mut band in data.axis_iter_mut(Axis(0)) {
        band.zip_mut_with(gaps, |sample, &gap| match gap {
            true => *sample = empty,
            false => *sample = nodata.avoided_by(*sample),
        });
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Samples;

    fn image<T>(values: [T; 4]) -> Raster
    where
        Samples: From<Array3<T>>,
    {
        Raster::new(Array3::from_shape_vec((2, 1, 2), values.into()).unwrap()).unwrap()
    }

    #[test]
    fn a_pixel_is_empty_where_no_band_has_data() {
        let source = image([f32::NAN, 1.0, f32::NAN, f32::NAN]);
        let made = image([9u16, 0, 7, 5]);
        let emptied = made.clone().with_gaps_of(&source, None);
        assert_eq!((emptied.nodata(), emptied.samples()), (Some(0.0), image([0u16, 1, 0, 5]).samples()));
        let emptied = made.clone().with_gaps_of(&source, Some(65535.0));
        assert_eq!((emptied.nodata(), emptied.samples()), (Some(65535.0), image([65535u16, 0, 65535, 5]).samples()));
        let floats = image([9f32, 0.0, 7.0, 5.0]).with_gaps_of(&source, None).samples().to_f32();
        assert!(floats[(0, 0, 0)].is_nan() && floats[(0, 0, 1)] == 0.0);
    }

    /// Happens with models whose target files had another type, or a nodata value that no sample has.
    #[test]
    fn a_value_that_samples_cannot_have_is_not_used() {
        let source = image([f32::NAN, 1.0, f32::NAN, f32::NAN]);
        for nodata in [-9999.0, f64::NAN, 256.0, 0.5] {
            let emptied = image([9u8, 0, 7, 5]).with_gaps_of(&source, Some(nodata));
            assert_eq!((emptied.nodata(), emptied.samples()), (Some(0.0), image([0u8, 1, 0, 5]).samples()));
        }
    }

    #[test]
    fn an_image_without_gaps_stays_as_it_is() {
        let made = image([0u8, 1, 2, 3]);
        assert_eq!(made.clone().with_gaps_of(&image([1.5f64; 4]), None), made);
    }

    #[test]
    fn floats_give_way_by_as_little_as_there_is() {
        let made = image([0f32, -1.0, 1.0, 0.25]).with_gaps_of(&image([1u8; 4]), Some(0.0));
        assert_eq!(made.samples(), image([f32::from_bits(1), -1.0, 1.0, 0.25]).samples());
        let made = image([1f64, -1.0, 0.0, 0.25]).with_gaps_of(&image([1u8; 4]), Some(1.0)).samples().to_f32();
        assert!(made[(0, 0, 0)] < 1.0 && made[(0, 0, 0)] > 0.999_999);
    }

    #[test]
    fn the_largest_value_gives_way_downwards() {
        let made = image([255u8, 254, 3, 4]).with_gaps_of(&image([1u8; 4]), Some(255.0));
        assert_eq!(made.samples(), image([254u8, 254, 3, 4]).samples());
    }
}
