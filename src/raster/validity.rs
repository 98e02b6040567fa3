//! Which pixels of a file have data, and which part of the file defines that.

use ndarray::{Array2, Array3, Axis};

use super::pixel::{Gap, Sample};
use super::presentation::Presentation;
use super::samples::with_array;
use super::{Dtype, RasterInfo, Samples, ValiditySource};

impl RasterInfo {
    /// Returns what defines which pixels have data. A nodata value takes precedence over an alpha band, except in four
    /// bands of red, green, blue, and alpha, as in rasterio's `dataset_mask`.
    ///
    /// ```
    /// use geolearn::raster::{RasterFile, ValiditySource};
    ///
    /// let file = RasterFile::open("tests/fixtures/tiff/la.png")?;
    /// assert_eq!(file.info().validity_source(), ValiditySource::AlphaBand(1));
    /// let file = RasterFile::open("tests/fixtures/tiff/nodata_minus9999.tif")?;
    /// assert_eq!(file.info().validity_source(), ValiditySource::Nodata);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn validity_source(&self) -> ValiditySource {
        let is_possible = |value: &f64| self.dtype.can_mean(*value);
        let nodata = self.nodata.iter().chain(&self.band_nodata).any(is_possible);
        match (self.mask, self.opacity_band(), nodata) {
            (Some(mask), ..) => mask,
            (None, Some(band), false) => ValiditySource::AlphaBand(band),
            (None, Some(band), true) if self.bands == 4 => ValiditySource::AlphaBand(band),
            (None, _, true) => ValiditySource::Nodata,
            (None, None, false) => ValiditySource::Samples,
        }
    }

    /// Returns the last band, if it is opacity.
    fn opacity_band(&self) -> Option<usize> {
        self.alpha_band.filter(|band| *band > 0 && band + 1 == self.bands)
    }

    /// Returns whether pixels may have no data for reasons other than their own samples and the nodata value.
    pub(super) fn has_mask(&self) -> bool {
        !matches!(self.validity_source(), ValiditySource::Nodata | ValiditySource::Samples)
    }
}

/// Returns the nodata pixels of a mask: those where all of its bands are 0.
pub(super) fn hidden_by_mask(mask: &Samples) -> Array2<bool> {
    where_all(mask, |_, value| value == 0.0)
}

/// Returns the fully transparent pixels of an opacity band; `None` if there is no such band.
pub(super) fn hidden_by_alpha(samples: &Samples, band: usize) -> Option<Array2<bool>> {
    let (bands, ..) = samples.shape();
    (band < bands)
        .then(|| with_array!(samples, data => data.index_axis(Axis(0), band).mapv(|opacity| opacity.to_f64() == 0.0)))
}

/// Returns the pixels whose colors are declared transparent.
pub(super) fn hidden_by_color(picture: &Presentation, stored: &Samples) -> Option<Array2<bool>> {
    let transparent = picture.transparent.as_ref()?;
    let (bands, ..) = stored.shape();
    if bands == 1 {
        return Some(where_all(stored, |_, index| {
            transparent.get(index as usize).is_some_and(|opacity| *opacity == 0)
        }));
    }
    let key = key_color(transparent, stored.dtype());
    Some(where_all(stored, |band, value| key.get(band) == Some(&value)))
}

/// Returns the single transparent color of a picture. The decoder keeps as many bytes of each value as samples have.
fn key_color(bytes: &[u8], dtype: Dtype) -> Vec<f64> {
    let values = bytes.chunks_exact(dtype.bytes());
    values.map(|bytes| bytes.iter().fold(0.0, |sum, byte| sum * 256.0 + f64::from(*byte))).collect()
}

/// Returns the pixels in which all bands have their nodata value, or none is finite.
pub(super) fn hidden_by_nodata(samples: &Samples, info: &RasterInfo) -> Array2<bool> {
    with_array!(samples, data => {
        let mut hidden = all_pixels(data);
        for (index, band) in data.axis_iter(Axis(0)).enumerate() {
            let gap = Gap::new(info.band_nodata.get(index).copied().or(info.nodata));
            hidden.zip_mut_with(&band, |gone, &value| *gone &= gap.holds(value));
        }
        hidden
    })
}

/// Returns the pixels in which all bands satisfy the condition, which receives the band and the value.
fn where_all(samples: &Samples, condition: impl Fn(usize, f64) -> bool) -> Array2<bool> {
    with_array!(samples, data => {
        let mut all = all_pixels(data);
        for (index, band) in data.axis_iter(Axis(0)).enumerate() {
            all.zip_mut_with(&band, |holds, value| *holds &= condition(index, value.to_f64()));
        }
        all
    })
}

fn all_pixels<T>(data: &Array3<T>) -> Array2<bool> {
    let (_, height, width) = data.dim();
    Array2::from_elem((height, width), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(bands: usize, alpha: Option<usize>, nodata: Option<f64>, dtype: Dtype) -> RasterInfo {
        RasterInfo { alpha_band: alpha, nodata, ..RasterInfo::plain("TIFF", (bands, 1, 1), dtype) }
    }

    /// What rasterio 1.4.4 uses for files with these headers.
    #[test]
    fn what_counts_is_what_counts_in_rasterio() {
        use ValiditySource::{AlphaBand, InternalMask, Nodata, Samples};
        let byte = |bands, alpha, nodata| info(bands, alpha, nodata, Dtype::U8).validity_source();
        assert_eq!(byte(2, Some(1), None), AlphaBand(1));
        assert_eq!(byte(2, Some(1), Some(0.0)), Nodata);
        assert_eq!(byte(4, Some(3), Some(0.0)), AlphaBand(3));
        assert_eq!(byte(3, None, Some(-9999.0)), Samples, "no byte is -9999");
        assert_eq!(byte(3, Some(1), None), Samples, "alpha comes last");
        assert_eq!(byte(1, Some(0), None), Samples);
        assert_eq!(info(1, None, Some(f64::NAN), Dtype::F32).validity_source(), Nodata);
        let masked = RasterInfo { mask: Some(InternalMask), ..info(4, Some(3), Some(0.0), Dtype::U8) };
        assert_eq!(masked.validity_source(), InternalMask);
    }

    #[test]
    fn colors_are_transparent_as_a_whole() {
        let picture = |bytes: &[u8]| Presentation { transparent: Some(bytes.to_vec()), ..Presentation::default() };
        let hidden = |picture: &Presentation, bands: usize, values: Vec<u8>| {
            let pixels = values.len() / bands;
            let samples = Array3::from_shape_vec((bands, 1, pixels), values).unwrap().into();
            hidden_by_color(picture, &samples).unwrap().into_raw_vec_and_offset().0
        };
        assert_eq!(hidden(&picture(&[1, 2, 3]), 3, vec![1, 1, 2, 0, 3, 3]), [true, false]);
        assert_eq!(hidden(&picture(&[255, 0, 9]), 1, vec![0, 1, 2, 3]), [false, true, false, false]);
        let wide = Samples::U16(Array3::from_shape_vec((3, 1, 1), vec![258, 3, 4]).unwrap());
        assert_eq!(hidden_by_color(&picture(&[1, 2, 0, 3, 0, 4]), &wide).unwrap(), ndarray::array![[true]]);
    }
}
