//! Which pixels of an image have no data. In 8-bit images with several bands these are whole pixels or none:
//! pictures use all 256 values of a band, so the nodata value in one band alone is data, such as the red 0 of a dark roof.
//! Wider samples have a nodata value of their own, and each sample goes by itself.

use ndarray::{Array2, Array3, Axis};

use super::pixel::{Gap, Sample};
use super::samples::with_array;
use super::{Dtype, Raster, Samples};

impl Raster {
    /// Tells of each pixel whether it has no data in any band, (height, width).
    pub(crate) fn gaps(&self) -> Array2<bool> {
        with_array!(&self.samples, data => {
            let gap = Gap::new(self.nodata);
            let mut gaps = Array2::from_elem((self.height(), self.width()), true);
            for band in data.axis_iter(Axis(0)) {
                gaps.zip_mut_with(&band, |empty, &value| *empty &= gap.holds(value));
            }
            gaps
        })
    }

    /// Where whole pixels have no data, in an image whose single samples do not go by the nodata value; none of other
    /// images.
    pub(crate) fn whole_gaps(&self) -> Option<Array2<bool>> {
        self.goes_by_pixel().then(|| self.gaps())
    }

    /// The nodata value by which single samples go.
    pub(crate) fn sample_nodata(&self) -> Option<f64> {
        self.nodata.filter(|_| !self.goes_by_pixel())
    }

    fn goes_by_pixel(&self) -> bool {
        let dtype = self.dtype();
        self.bands() > 1 && dtype.bytes() == 1 && self.nodata.is_some_and(|value| dtype.can_mean(value))
    }

    /// The same pixels in 16 bits, where a value that bytes do not have stands for no data.
    pub(super) fn widened(&self, gaps: &Array2<bool>) -> Self {
        let wide = with_array!(&self.samples, data => {
            let wide = |at: (usize, usize, usize)| data[at].to_i32() as i16;
            Array3::from_shape_fn(data.dim(), |at| if gaps[(at.1, at.2)] { i16::MIN } else { wide(at) })
        });
        self.replaced(wide.into()).with_nodata(f64::from(i16::MIN))
    }

    /// Bytes again, with the nodata value of `like`. Pixels that have data do not come to look as if they had none.
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
        let grey = dark.clone().select(&[0]);
        assert_eq!((grey.whole_gaps(), grey.sample_nodata()), (None, Some(0.0)));
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

    /// Statistics, tensors and predictions go by the same pixels.
    #[test]
    fn a_palette_keeps_its_gaps_as_colours() {
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

    /// rasterio's masks (`read_masks`, of bands of their own); of several bands of bytes we mask whole pixels, as its
    /// `dataset_mask` does.
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
