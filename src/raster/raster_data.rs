//! An image in memory, with its metadata.

use ndarray::{Array2, Axis, Slice};

use super::{BandScale, Dtype, Place, RasterInfo, Samples, ValiditySource, validity};
use crate::error::{Error, ErrorKind, Result};

/// An image in memory: samples in (bands, height, width), with the metadata of the file.
///
/// # Shapes
/// `samples()` is (bands, height, width); no side is 0. Values have the file's own type and scale.
///
/// ```
/// use geolearn::Raster;
/// use geolearn::raster::Dtype;
///
/// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
/// assert_eq!((chip.bands(), chip.height(), chip.width()), (3, 64, 64));
/// assert_eq!(chip.dtype(), Dtype::U8);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Clone, PartialEq)]
pub struct Raster {
    pub(super) samples: Samples,
    pub(super) place: Place,
    pub(super) nodata: Option<f64>,
    pub(super) band_names: Vec<Option<String>>,
    /// One per band.
    pub(super) band_scales: Vec<BandScale>,
    /// Masked pixels, whatever their samples are; `None` if there are none.
    pub(super) hidden: Option<Array2<bool>>,
    /// The band of opacity, as long as it is among the bands.
    pub(super) opacity: Option<usize>,
}

impl Raster {
    /// Creates an image from an array in (bands, height, width), of any type listed in [`Dtype`].
    ///
    /// ```
    /// use geolearn::Raster;
    /// use geolearn::raster::Dtype;
    /// use ndarray::Array3;
    ///
    /// let gray = Raster::new(Array3::<u16>::zeros((1, 4, 6)))?;
    /// assert_eq!((gray.bands(), gray.height(), gray.width()), (1, 4, 6));
    /// assert_eq!(gray.dtype(), Dtype::U16);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if a side is 0.
    pub fn new(samples: impl Into<Samples>) -> Result<Self> {
        let samples = samples.into();
        let (bands, height, width) = samples.shape();
        if bands == 0 || height == 0 || width == 0 {
            return Err(Error::new(ErrorKind::Usage, "an image needs pixels")
                .expected("(bands, height, width), each at least 1")
                .found(format!("{:?}", samples.shape())));
        }
        Ok(Self::plain(samples))
    }

    /// Creates an image without georeference, nodata, names, or scales; the caller has checked that there are pixels.
    pub(super) fn plain(samples: Samples) -> Self {
        let (bands, ..) = samples.shape();
        let band_scales = vec![BandScale::default(); bands];
        Self {
            samples,
            place: Place::default(),
            nodata: None,
            band_names: vec![None; bands],
            band_scales,
            hidden: None,
            opacity: None,
        }
    }

    /// Creates an image from samples and the metadata of a header; the caller has checked that they are consistent.
    pub(super) fn described(samples: Samples, info: &RasterInfo) -> Self {
        Self {
            samples,
            place: info.place().clone(),
            nodata: info.nodata(),
            band_names: info.band_names().to_vec(),
            band_scales: info.band_scales().to_vec(),
            hidden: None,
            opacity: match (info.mask, info.validity_source()) {
                (None, ValiditySource::AlphaBand(band)) => Some(band),
                _ => None,
            },
        }
    }

    /// Treats the opacity band as an ordinary band.
    pub(crate) fn with_opacity_as_band(self) -> Self {
        Self { opacity: None, ..self }
    }

    /// Masks out these pixels with the file's mask. Only the mask counts then: the nodata value no longer applies, as
    /// in GDAL.
    pub(super) fn masked(self, hidden: Array2<bool>) -> Self {
        let has_gaps = hidden.iter().any(|&gap| gap);
        Self { nodata: None, hidden: Some(hidden).filter(|_| has_gaps), opacity: None, ..self }
    }

    /// Returns the number of bands.
    pub fn bands(&self) -> usize {
        self.samples.shape().0
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        self.samples.shape().1
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        self.samples.shape().2
    }

    /// Returns the data type of the samples.
    pub fn dtype(&self) -> Dtype {
        self.samples.dtype()
    }

    /// Returns the samples in (bands, height, width).
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Returns the samples in (bands, height, width), without a copy.
    pub fn into_samples(self) -> Samples {
        self.samples
    }

    /// Returns the georeference, as far as the file specifies it.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the nodata value. In floating-point images, samples that are not finite are also nodata.
    pub fn nodata(&self) -> Option<f64> {
        self.nodata
    }

    /// Returns the name of each band, if it has one.
    pub fn band_names(&self) -> &[Option<String>] {
        &self.band_names
    }

    /// Returns how the samples of each band are converted to physical values. Scales are kept as metadata; samples stay
    /// as stored.
    pub fn band_scales(&self) -> &[BandScale] {
        &self.band_scales
    }

    /// Returns the same image with another georeference.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # use geolearn::raster::Place;
    /// # use ndarray::Array3;
    /// let image = Raster::new(Array3::<u8>::zeros((1, 4, 6)))?.with_place(Place::default());
    /// assert!(!image.place().has_transform());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn with_place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// Returns the same image with this nodata value; `None` for no nodata value.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # use ndarray::Array3;
    /// let image = Raster::new(Array3::<i16>::zeros((1, 4, 6)))?.with_nodata(-9999.0);
    /// assert_eq!(image.nodata(), Some(-9999.0));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn with_nodata(mut self, value: impl Into<Option<f64>>) -> Self {
        self.nodata = value.into();
        self
    }

    /// Returns the same image with names for its bands; bands beyond the list have none.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # use ndarray::Array3;
    /// let image = Raster::new(Array3::<u8>::zeros((2, 4, 6)))?.with_band_names(["red", "near infrared"]);
    /// assert_eq!(image.band_names()[1].as_deref(), Some("near infrared"));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn with_band_names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(|name| Some(name.into()));
        self.band_names = names.chain(std::iter::repeat(None)).take(self.bands()).collect();
        self
    }

    /// Returns the same image with an optional name for each band.
    pub(crate) fn with_optional_names(mut self, mut names: Vec<Option<String>>) -> Self {
        names.resize(self.bands(), None);
        self.band_names = names;
        self
    }

    /// Returns the same image with other scales and offsets for its bands; bands beyond the list have none. Samples are
    /// not changed.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// # use geolearn::raster::BandScale;
    /// # use ndarray::Array3;
    /// let image = Raster::new(Array3::<i16>::zeros((1, 4, 6)))?.with_band_scales([BandScale::new(0.001, 0.5)]);
    /// assert_eq!(image.band_scales()[0].value(500.0), 1.0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn with_band_scales(mut self, scales: impl IntoIterator<Item = BandScale>) -> Self {
        self.band_scales =
            scales.into_iter().chain(std::iter::repeat(BandScale::default())).take(self.bands()).collect();
        self
    }

    /// Selects bands by index (from 0), in this order; the caller has checked that they exist.
    pub(crate) fn select(self, bands: &[usize]) -> Self {
        let samples = self.samples.select(bands);
        let band_names = bands.iter().map(|&band| self.band_names.get(band).cloned().flatten()).collect();
        let scale = |&band: &usize| self.band_scales.get(band).copied().unwrap_or_default();
        let band_scales = bands.iter().map(scale).collect();
        let opacity = self.opacity.map(|band| (bands.iter().position(|&used| used == band), band));
        let image = |opacity, image| Self { samples, band_names, band_scales, opacity, ..image };
        match opacity {
            // Once opacity is not among the bands, it becomes a mask, in addition to other masked pixels.
            Some((None, band)) => match validity::hidden_by_alpha(&self.samples, band) {
                Some(transparent) => {
                    let hidden = match &self.hidden {
                        Some(earlier) => earlier | &transparent,
                        None => transparent,
                    };
                    image(None, self.hiding(Some(hidden)))
                }
                None => image(None, self),
            },
            Some((place, _)) => image(place, self),
            None => image(None, self),
        }
    }

    /// Crops the part that begins at (`row`, `column`); the caller has checked that it is within the image.
    pub(crate) fn crop(self, row: usize, column: usize, height: usize, width: usize) -> Self {
        if (row, column, height, width) == (0, 0, self.height(), self.width()) {
            return self;
        }
        self.part(row, column, height, width)
    }

    /// Copies the part that begins at (`row`, `column`); the caller has checked that it is within the image.
    pub(crate) fn part(&self, row: usize, column: usize, height: usize, width: usize) -> Self {
        let part = self.replaced(self.samples.crop(row, column, height, width));
        let hidden = self.hidden.as_ref().map(|hidden| {
            let rows = hidden.slice_axis(Axis(0), Slice::from(row..row + height));
            rows.slice_axis(Axis(1), Slice::from(column..column + width)).to_owned()
        });
        Self { place: self.place.shifted(row, column), ..part }.hiding(hidden)
    }

    /// Selects the pixels of these rows and columns, in any order and with repetitions; the caller has checked that
    /// they exist.
    pub(crate) fn gathered(&self, rows: &[usize], columns: &[usize]) -> Self {
        let gathered = |hidden: &Array2<bool>| {
            Array2::from_shape_fn((rows.len(), columns.len()), |(y, x)| hidden[(rows[y], columns[x])])
        };
        let hidden = self.hidden.as_ref().map(gathered);
        self.replaced(self.samples.gathered(rows, columns)).hiding(hidden)
    }

    /// Masks out these pixels, in addition to those with the nodata value.
    pub(super) fn hiding(self, hidden: Option<Array2<bool>>) -> Self {
        Self { hidden: hidden.filter(|hidden| hidden.iter().any(|&gap| gap)), ..self }
    }

    /// Returns an image of other samples with the same georeference, nodata value, names, and scales. No pixel is
    /// masked.
    pub(crate) fn replaced(&self, samples: Samples) -> Self {
        Self {
            samples,
            place: self.place.clone(),
            nodata: self.nodata,
            band_names: self.band_names.clone(),
            band_scales: self.band_scales.clone(),
            hidden: None,
            opacity: self.opacity,
        }
    }
}

impl std::fmt::Debug for Raster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Raster({} bands, {} x {} pixels, {})", self.bands(), self.width(), self.height(), self.dtype())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When alpha becomes a mask, pixels that were nodata before stay so, by a mask or by a value.
    #[test]
    fn alpha_that_becomes_a_mask_stands_beside_others() {
        let image = || Raster::open("tests/fixtures/masks/alpha_rgba.tif").unwrap();
        let (height, width) = (image().height(), image().width());
        let gaps = |image: Raster| image.select(&[0, 1, 2]).gaps();
        let transparent = gaps(image());
        let clear = Array2::from_shape_fn((height, width), |(y, x)| (y + x) % 3 > 0);
        let both = gaps(image().with_validity(&clear).unwrap());
        assert!(both.iter().zip(transparent.iter().zip(&clear)).all(|(gap, (gone, clear))| *gap == (*gone || !clear)));
        assert_ne!(both, transparent);
        let first = image().samples().to_f32()[[0, 0, 0]];
        assert_eq!(image().with_nodata(Some(f64::from(first))).select(&[0, 1, 2]).nodata(), Some(f64::from(first)));
    }
}
