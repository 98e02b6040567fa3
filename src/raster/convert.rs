//! Conversions from and to the types of `image` and `ndarray`.

use image::{DynamicImage, ImageBuffer, RgbImage};
use ndarray::{Array2, Array3, Axis};

use super::planar::planar;
use super::{Dtype, Raster, Samples};
use crate::error::{Error, ErrorKind, Result};

impl From<RgbImage> for Raster {
    /// Converts to three bands, red first.
    fn from(image: RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let samples = Samples::U8(planar(&image, 3, 3, height, width));
        Self::plain(samples)
    }
}

/// Converts gray to one band and color to three, in the type of the picture. As in [`Raster::open`], opacity does not
/// become a band: pixels of opacity 0 have no data.
///
/// ```
/// use geolearn::Raster;
/// use geolearn::image::{DynamicImage, GrayImage};
/// use geolearn::raster::Dtype;
///
/// let gray = Raster::try_from(DynamicImage::ImageLuma8(GrayImage::new(6, 4)))?;
/// assert_eq!((gray.bands(), gray.height(), gray.width(), gray.dtype()), (1, 4, 6, Dtype::U8));
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Usage`] for a picture without pixels, [`ErrorKind::Unsupported`] for samples other than 8 or 16 bits or
/// floating point.
impl TryFrom<DynamicImage> for Raster {
    type Error = Error;

    fn try_from(picture: DynamicImage) -> Result<Self> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let stored = usize::from(picture.color().channel_count());
        // Opacity is the last band.
        let bands = stored - usize::from(picture.color().has_alpha());
        let shape = (stored, bands, height, width);
        let image = Self::new(match &picture {
            DynamicImage::ImageLuma8(_)
            | DynamicImage::ImageLumaA8(_)
            | DynamicImage::ImageRgb8(_)
            | DynamicImage::ImageRgba8(_) => Samples::U8(planar(picture.as_bytes(), stored, bands, height, width)),
            DynamicImage::ImageLuma16(image) => planes(image, shape).into(),
            DynamicImage::ImageLumaA16(image) => planes(image, shape).into(),
            DynamicImage::ImageRgb16(image) => planes(image, shape).into(),
            DynamicImage::ImageRgba16(image) => planes(image, shape).into(),
            DynamicImage::ImageRgb32F(image) => planes(image, shape).into(),
            DynamicImage::ImageRgba32F(image) => planes(image, shape).into(),
            other => {
                return Err(Error::new(ErrorKind::Unsupported, "samples of this kind cannot be taken over")
                    .expected("8 or 16 bits, or floats")
                    .found(format!("{:?}", other.color())));
            }
        })?;
        Ok(image.hiding(transparent(&picture)))
    }
}

/// Converts pixel-interleaved samples, `stored` per pixel, to the first `bands` bands.
fn planes<T: Copy>(samples: &[T], (stored, bands, height, width): (usize, usize, usize, usize)) -> Array3<T> {
    Array3::from_shape_fn((bands, height, width), |(band, y, x)| samples[(y * width + x) * stored + band])
}

/// Returns the pixels of opacity 0; `None` for pictures without opacity.
fn transparent(picture: &DynamicImage) -> Option<Array2<bool>> {
    match picture {
        DynamicImage::ImageLumaA8(image) => Some(where_last_is_zero(image)),
        DynamicImage::ImageRgba8(image) => Some(where_last_is_zero(image)),
        DynamicImage::ImageLumaA16(image) => Some(where_last_is_zero(image)),
        DynamicImage::ImageRgba16(image) => Some(where_last_is_zero(image)),
        DynamicImage::ImageRgba32F(image) => Some(where_last_is_zero(image)),
        _ => None,
    }
}

fn where_last_is_zero<P: image::Pixel>(picture: &ImageBuffer<P, Vec<P::Subpixel>>) -> Array2<bool>
where
    P::Subpixel: Default,
{
    let zero = P::Subpixel::default();
    let size = (picture.height() as usize, picture.width() as usize);
    let opacity = |(y, x): (usize, usize)| picture.get_pixel(x as u32, y as u32).channels().last().copied();
    Array2::from_shape_fn(size, |at| opacity(at) == Some(zero))
}

/// Converts only the samples: one or three bands of 8 or 16 bits, or three of `float32`.
///
/// ```
/// use geolearn::Raster;
/// use geolearn::image::DynamicImage;
///
/// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
/// let picture = DynamicImage::try_from(&chip)?;
/// assert_eq!(picture.as_rgb8(), Some(&chip.to_rgb_image()));
/// assert_eq!(Raster::try_from(picture)?, chip);
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Unsupported`] for other bands or sample types.
impl TryFrom<&Raster> for DynamicImage {
    type Error = Error;

    fn try_from(image: &Raster) -> Result<Self> {
        let size = (image.width(), image.height());
        let picture = match (image.bands(), image.samples()) {
            (1, Samples::U8(data)) => buffer(data, size).map(Self::ImageLuma8),
            (3, Samples::U8(data)) => buffer(data, size).map(Self::ImageRgb8),
            (1, Samples::U16(data)) => buffer(data, size).map(Self::ImageLuma16),
            (3, Samples::U16(data)) => buffer(data, size).map(Self::ImageRgb16),
            (3, Samples::F32(data)) => buffer(data, size).map(Self::ImageRgb32F),
            _ => None,
        };
        picture.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "a DynamicImage cannot hold this image")
                .expected("1 or 3 bands of uint8 or uint16, or 3 of float32")
                .found(format!("{} of {}", image.bands(), image.dtype()))
                .help("Raster::to_rgb_image() shows any image.")
        })
    }
}

fn buffer<P: image::Pixel>(
    data: &Array3<P::Subpixel>,
    (width, height): (usize, usize),
) -> Option<ImageBuffer<P, Vec<P::Subpixel>>> {
    let samples = data.view().permuted_axes([1, 2, 0]).iter().copied().collect();
    ImageBuffer::from_raw(u32::try_from(width).ok()?, u32::try_from(height).ok()?, samples)
}

/// Creates the error for an array of another type than the samples.
fn of_other_type(wanted: Dtype, found: Dtype) -> Error {
    Error::new(ErrorKind::Usage, "the samples are of another type")
        .expected(wanted)
        .found(found)
        .help("Match on Raster::samples(), or take Samples::to_f32().")
}

macro_rules! arrays {
    ($($variant:ident: $type:ty),* $(,)?) => {$(
        /// See [`Raster::new`].
        impl TryFrom<Array3<$type>> for Raster {
            type Error = Error;

            fn try_from(samples: Array3<$type>) -> Result<Self> {
                Self::new(samples)
            }
        }

        /// One band of (height, width); otherwise see [`Raster::new`].
        impl TryFrom<Array2<$type>> for Raster {
            type Error = Error;

            fn try_from(band: Array2<$type>) -> Result<Self> {
                Self::new(band.insert_axis(Axis(0)))
            }
        }

        /// Returns the samples in (bands, height, width), without a copy. `Usage` if they have another type.
        impl TryFrom<Raster> for Array3<$type> {
            type Error = Error;

            fn try_from(image: Raster) -> Result<Self> {
                match image.into_samples() {
                    Samples::$variant(samples) => Ok(samples),
                    other => Err(of_other_type(Dtype::$variant, other.dtype())),
                }
            }
        }
    )*};
}

arrays!(U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, U64: u64, I64: i64, F32: f32, F64: f64);

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Luma, LumaA, Rgb, Rgba};

    /// Each value encodes where it came from.
    fn numbered<T: Copy>(bands: usize, make: impl Fn(usize) -> T) -> Raster
    where
        Raster: TryFrom<Array3<T>, Error = Error>,
    {
        Raster::try_from(Array3::from_shape_fn((bands, 4, 6), |(b, y, x)| make(b * 50 + y * 7 + x))).unwrap()
    }

    #[test]
    fn pictures_go_both_ways_to_the_bit() {
        for raster in [
            numbered(1, |v| v as u8),
            numbered(3, |v| v as u8),
            numbered(1, |v| 300 * v as u16),
            numbered(3, |v| 300 * v as u16),
            numbered(3, |v| v as f32 / 7.0),
        ] {
            let picture = DynamicImage::try_from(&raster).unwrap();
            assert_eq!((picture.width(), picture.height()), (6, 4));
            assert_eq!(Raster::try_from(picture).unwrap(), raster);
        }
    }

    #[test]
    fn opacity_is_a_mask_and_no_band() {
        let opacity = |x: u32| if x == 2 { 0 } else { 7 };
        let rgba = ImageBuffer::from_fn(6, 4, |x, y| Rgba([(y * 7 + x) as u16, 1000, 2000, opacity(x)]));
        let seen = Raster::try_from(DynamicImage::ImageRgba16(rgba)).unwrap();
        let Samples::U16(samples) = seen.samples() else { panic!("{seen:?}") };
        assert_eq!(
            (samples.dim(), samples[(0, 3, 5)], samples[(1, 0, 0)], samples[(2, 3, 5)]),
            ((3, 4, 6), 26, 1000, 2000)
        );
        assert_eq!(seen.validity(), Array2::from_shape_fn((4, 6), |(_, x)| x != 2));
        let gray = ImageBuffer::from_fn(6, 4, |x, y| LumaA([(y * 7 + x) as u8, 9]));
        let seen = Raster::try_from(DynamicImage::ImageLumaA8(gray)).unwrap();
        assert_eq!(seen, numbered(1, |v| v as u8));
    }

    #[test]
    fn pixels_keep_their_place() {
        let rgb = DynamicImage::ImageRgb8(ImageBuffer::from_fn(2, 3, |x, y| Rgb([x as u8, y as u8, 9])));
        let samples = Array3::<u8>::try_from(Raster::try_from(rgb).unwrap()).unwrap();
        assert_eq!((samples[(0, 2, 1)], samples[(1, 2, 1)], samples[(2, 2, 1)]), (1, 2, 9));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for raster in [numbered(2, |v| v as u8), numbered(13, |v| v as u16), numbered(1, |v| v as f32)] {
            let error = DynamicImage::try_from(&raster).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert_eq!(error.finding(), Some(&*format!("{} of {}", raster.bands(), raster.dtype())));
        }
        let empty = DynamicImage::ImageLuma8(ImageBuffer::<Luma<u8>, _>::new(0, 4));
        assert_eq!(Raster::try_from(empty).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(Raster::try_from(Array2::<f64>::zeros((0, 3))).unwrap_err().kind(), ErrorKind::Usage);
    }

    #[test]
    fn arrays_go_both_ways_in_their_own_type() {
        let band = Array2::from_shape_fn((4, 6), |(y, x)| (y * 7 + x) as i16);
        let raster = Raster::try_from(band.clone()).unwrap();
        assert_eq!((raster.bands(), raster.dtype()), (1, Dtype::I16));
        let error = Array3::<u16>::try_from(raster.clone()).unwrap_err();
        assert_eq!((error.expectation(), error.finding()), (Some("uint16"), Some("int16")));
        assert_eq!(Array3::<i16>::try_from(raster).unwrap(), band.insert_axis(Axis(0)));
    }
}
