//! Which pixels of an image have no data: those outside its mask, and those with the nodata value. In 8-bit images with
//! several bands, the nodata value applies only to whole pixels: pictures use all 256 values of a band, so in a single
//! band it is data, such as the red 0 of a dark roof. Wider samples can reserve a nodata value, so each sample is
//! checked separately.

use std::borrow::Cow;

use ndarray::{Array2, Array3, Axis};

use super::pixel::{Gap, Sample};
use super::samples::with_array;
use super::{Dtype, Raster, Samples};
use crate::error::{Error, ErrorKind, Result};

impl Raster {
    /// Returns which pixels have no data in all bands, (height, width).
    pub(crate) fn gaps(&self) -> Array2<bool> {
        with_array!(&self.samples, data => {
            let gap = Gap::new(self.nodata);
            let mut gaps = Array2::from_elem((self.height(), self.width()), true);
            for band in data.axis_iter(Axis(0)) {
                gaps.zip_mut_with(&band, |empty, &value| *empty &= gap.holds(value));
            }
            if let Some(hidden) = &self.hidden {
                gaps.zip_mut_with(hidden, |empty, hidden| *empty |= hidden);
            }
            gaps
        })
    }

    /// Returns the pixels that have no data as a whole, apart from individual samples that equal
    /// [`sample_nodata`](Self::sample_nodata); `None` for images in which only individual samples can be nodata.
    pub(crate) fn whole_gaps(&self) -> Option<Array2<bool>> {
        match self.goes_by_pixel() {
            true => Some(self.gaps()),
            false => self.hidden.clone(),
        }
    }

    /// Removes the last band, if it is opacity and there is one band more than `expected`.
    pub(crate) fn without_alpha(&self, expected: usize) -> Cow<'_, Self> {
        match self.opacity.filter(|_| self.bands() == expected + 1) {
            Some(_) => Cow::Owned(self.clone().select(&Vec::from_iter(0..expected))),
            None => Cow::Borrowed(self),
        }
    }

    /// Returns whether pixels may have no data for reasons other than their samples.
    pub(crate) fn has_mask(&self) -> bool {
        self.hidden.is_some()
    }

    /// Returns a mask of the pixels that have data in any band. An alpha band among the bands of a TIFF counts as a
    /// band; [`RasterFile::read_validity`](crate::raster::RasterFile::read_validity) treats it as a mask.
    ///
    /// # Shapes
    /// (height, width).
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # use ndarray::{Array3, array};
    /// let samples = Array3::from_shape_vec((1, 1, 3), vec![0u16, 5, 0]).unwrap();
    /// let image = Raster::new(samples)?.with_nodata(0.0);
    /// assert_eq!(image.validity(), array![[false, true, false]]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn validity(&self) -> Array2<bool> {
        self.gaps().mapv_into(|gap| !gap)
    }

    /// Masks out pixels, such as clouds: where `valid` is false, samples are kept but count as nodata. Pixels with the
    /// nodata value, and those masked out before, stay nodata.
    ///
    /// # Shapes
    /// `valid` is (height, width).
    ///
    /// ```
    /// # use geolearn::{ErrorKind, Raster};
    /// # use ndarray::{Array2, Array3};
    /// let image = Raster::new(Array3::<u8>::zeros((3, 4, 6)))?;
    /// let clear = Array2::from_shape_fn((4, 6), |(row, _)| row > 0);
    /// let masked = image.clone().with_validity(&clear)?;
    /// assert_eq!(masked.validity(), clear);
    /// assert_eq!(masked.samples(), image.samples());
    /// assert_eq!(image.with_validity(&clear.reversed_axes()).unwrap_err().kind(), ErrorKind::Usage);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a mask of another size.
    pub fn with_validity(self, valid: &Array2<bool>) -> Result<Self> {
        let size = (self.height(), self.width());
        if valid.dim() != size {
            return Err(Error::new(ErrorKind::Usage, "this mask does not fit the image")
                .expected(format!("{} rows and {} columns", size.0, size.1))
                .found(format!("{} and {}", valid.nrows(), valid.ncols())));
        }
        let mut hidden = valid.mapv(|valid| !valid);
        if let Some(earlier) = &self.hidden {
            hidden.zip_mut_with(earlier, |gone, earlier| *gone |= earlier);
        }
        Ok(self.hiding(Some(hidden)))
    }

    /// Returns the nodata value that applies to individual samples.
    pub(crate) fn sample_nodata(&self) -> Option<f64> {
        self.nodata.filter(|_| !self.goes_by_pixel())
    }

    fn goes_by_pixel(&self) -> bool {
        let dtype = self.dtype();
        self.bands() > 1 && dtype.bytes() == 1 && self.nodata.is_some_and(|value| dtype.can_mean(value))
    }

    /// Returns the same pixels in 16 bits, with a nodata value that bytes cannot have.
    pub(super) fn widened(&self, gaps: &Array2<bool>) -> Self {
        let wide = with_array!(&self.samples, data => {
            let wide = |at: (usize, usize, usize)| data[at].to_i32() as i16;
            Array3::from_shape_fn(data.dim(), |at| if gaps[(at.1, at.2)] { i16::MIN } else { wide(at) })
        });
        self.replaced(wide.into()).with_nodata(f64::from(i16::MIN))
    }

    /// Converts back to bytes, with the nodata value of `like`. Pixels with data never turn into nodata.
    pub(super) fn narrowed(&self, like: &Self) -> Self {
        let Samples::I16(wide) = &self.samples else { return self.clone() };
        let nodata = like.nodata.unwrap_or_default() as i16;
        let mut narrow = wide.mapv(|value| if value == i16::MIN { nodata } else { value });
        let beside = if nodata == i16::from(u8::MAX) || nodata == i16::from(i8::MAX) { nodata - 1 } else { nodata + 1 };
        for (mut to, from) in narrow.lanes_mut(Axis(0)).into_iter().zip(wide.lanes(Axis(0))) {
            if from[0] != i16::MIN && to.iter().all(|&value| value == nodata) {
                to[0] = beside;
            }
        }
        let samples = match like.dtype() {
            Dtype::I8 => narrow.mapv(|value| value as i8).into(),
            _ => narrow.mapv(|value| value as u8).into(),
        };
        Self { nodata: like.nodata, ..self.replaced(samples) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::RasterFile;

    fn image(values: Vec<u8>) -> Raster {
        Raster::new(Array3::from_shape_vec((2, 1, 3), values).unwrap()).unwrap().with_nodata(0.0)
    }

    #[test]
    fn one_band_of_zero_is_data() {
        let dark = image(vec![0, 0, 5, 0, 7, 0]);
        let gaps = ndarray::array![[true, false, false]];
        assert_eq!((dark.whole_gaps(), dark.sample_nodata()), (Some(gaps), None));
        let gray = dark.clone().select(&[0]);
        assert_eq!((gray.whole_gaps(), gray.sample_nodata()), (None, Some(0.0)));
        assert_eq!(dark.with_nodata(-9999.0).whole_gaps(), None);
        let wide = Raster::new(Array3::<u16>::zeros((2, 1, 3))).unwrap().with_nodata(0.0);
        assert_eq!((wide.whole_gaps(), wide.sample_nodata()), (None, Some(0.0)));
    }

    #[test]
    fn pixels_with_data_stay_so_when_they_are_narrowed() {
        for nodata in [0u8, 255] {
            let dark = image(vec![nodata; 6]).with_nodata(f64::from(nodata));
            let gaps = ndarray::array![[true, false, true]];
            assert_eq!(dark.widened(&gaps).gaps(), gaps);
            assert_eq!(dark.widened(&gaps).narrowed(&dark).gaps(), gaps);
        }
    }

    /// Statistics, tensors, and predictions use the same mask.
    #[test]
    fn a_palette_keeps_its_gaps_as_colors() {
        let path = std::path::Path::new("tests/fixtures/metadata/palette.tif");
        let (file, image) = (RasterFile::open(path).unwrap(), Raster::open(path).unwrap());
        let indices = file.read().unwrap().to_f32();
        assert_eq!(image.gaps(), indices.index_axis(Axis(0), 0).mapv(|index| index == 0.0));
        let source = crate::raster::Source::open(path).unwrap();
        assert_eq!((source.nodata(), source.bands()), (image.nodata(), 3));
        assert_eq!(source.window(1, 2, 3, 4).unwrap().gaps(), image.part(1, 2, 3, 4).gaps());
        let chip = crate::raster::chip_info(path, &crate::raster::Limits::default()).unwrap();
        assert_eq!((chip.nodata(), chip.bands(), chip.place()), (image.nodata(), 3, image.place()));
    }

    /// Masks of rasterio (`read_masks`, per band); for several 8-bit bands this crate masks whole pixels, like
    /// rasterio's `dataset_mask`.
    #[test]
    fn masks_are_those_of_rasterio() {
        let folder = std::path::Path::new("tests/fixtures/metadata");
        let truth = std::fs::read_to_string(folder.join("truth.json")).unwrap();
        let truth: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&truth).unwrap();
        for (name, truth) in truth.iter().filter(|(name, _)| *name != "nodata_wide_lost.tif") {
            let info = RasterFile::open(folder.join(name)).unwrap().info().clone();
            let image = Raster::open(folder.join(name)).unwrap();
            let found: Vec<usize> = match image.whole_gaps() {
                Some(gaps) => vec![gaps.iter().filter(|&&gap| gap).count(); info.bands()],
                None => with_array!(image.samples(), data => {
                    let gap = Gap::new(image.nodata());
                    data.outer_iter().map(|band| band.iter().filter(|&&value| gap.holds(value)).count()).collect()
                }),
            };
            let expected = match image.bands() > 1 && image.dtype() == Dtype::U8 {
                true => vec![
                    truth["masked"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).min().unwrap();
                    info.bands()
                ],
                false => truth["masked"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect(),
            };
            assert_eq!(found.iter().map(|&count| count as u64).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}
