//! Resizes whole images.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use ndarray::{Array2, Array3, ArrayView2, Axis};

use super::pixel::{Gap, Sample};
use super::samples::with_array;
use super::{Limits, Place, Raster, Samples, triangle};
use crate::error::{Error, ErrorKind, Result};

/// Memory for the weights of each row and column: about 100 bytes.
pub(crate) const MAX_SIDE: usize = 1 << 20;
/// The share of a pixel's area that must have data for the pixel to have data.
const HALF: f64 = 0.5;

impl Raster {
    /// Resizes the image.
    ///
    /// Enlarging is bilinear; shrinking uses a triangle filter as wide as the reduction factor, which prevents
    /// aliasing. The aspect ratio is not preserved; the georeference is. A pixel is computed from the pixels that have
    /// data, and is nodata if less than half of its area has data. A computed value that happens to be the nodata value
    /// becomes the next value. 64-bit integers above 2^53 lose precision.
    ///
    /// ```
    /// # use geolearn::Raster;
    /// let chip = Raster::open("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// let small = chip.resize(32, 16)?;
    /// assert_eq!((small.width(), small.height()), (32, 16));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if a side is 0, [`ErrorKind::Limits`] if one is above 1,048,576 or the image would exceed
    /// the default [`Limits`].
    pub fn resize(&self, width: usize, height: usize) -> Result<Self> {
        resize(self, width, height)
    }
}

fn resize(image: &Raster, width: usize, height: usize) -> Result<Raster> {
    let size = target(image, width, height)?;
    if image.hidden.is_none()
        && let Some(gaps) = image.whole_gaps()
    {
        return Ok(resize(&image.widened(&gaps), width, height)?.narrowed(image));
    }
    let (mut resizer, hidden) = (Resizer::new(), image.whole_gaps());
    let nodata = if hidden.is_some() { image.sample_nodata() } else { image.nodata };
    let samples = match image.samples() {
        Samples::U8(data) if nodata.is_none() && hidden.is_none() => {
            Samples::U8(planes(data, size, |plane| resize_bytes(&mut resizer, plane, size))?)
        }
        samples => with_array!(samples, data => {
            let known = Known { gap: Gap::new(nodata), hidden: hidden.as_ref(), nodata };
            planes(data, size, |plane| resize_any(&mut resizer, plane, known, size))?.into()
        }),
    };
    let scale = (image.width() as f64 / width as f64, image.height() as f64 / height as f64);
    let hidden = match hidden {
        Some(hidden) => Some(with_array!(image.samples(), data => resized_mask(&mut resizer, data, &hidden, size)?)),
        None => None,
    };
    let resized = image.replaced(samples).hiding(hidden);
    Ok(Raster { place: image.place.scaled(scale.0, scale.1), ..resized })
}

/// A pixel has no data if less than half of its area has data; computed in the precision of the samples, so that both
/// agree.
fn resized_mask<T: Sample>(
    resizer: &mut Resizer,
    _samples: &Array3<T>,
    hidden: &Array2<bool>,
    size: (u32, u32),
) -> Result<Array2<bool>> {
    let shares = hidden.mapv(|hidden| if hidden { 0.0 } else { 1.0 });
    let shares = filter_numbers::<T>(resizer, shares.view(), size)?;
    let hidden = shares.into_iter().map(|share| share < HALF).collect();
    Array2::from_shape_vec((size.1 as usize, size.0 as usize), hidden).map_err(failed)
}

/// Which samples of a band have data.
#[derive(Clone, Copy)]
struct Known<'a, T> {
    gap: Gap<T>,
    /// Pixels without data in any band.
    hidden: Option<&'a Array2<bool>>,
    /// The value of samples computed from too little data.
    nodata: Option<f64>,
}

impl<T: Sample> Known<'_, T> {
    fn of(&self, plane: ArrayView2<'_, T>) -> Array2<bool> {
        let mut known = plane.mapv(|value| !self.gap.holds(value));
        if let Some(hidden) = self.hidden {
            known.zip_mut_with(hidden, |known, hidden| *known &= !hidden);
        }
        known
    }
}

impl Place {
    /// Returns the georeference of the same area in pixels that are larger by these factors.
    fn scaled(&self, across: f64, down: f64) -> Self {
        let scale = |[a, b, c, d, e, f]: [f64; 6]| [a * across, b * down, c, d * across, e * down, f];
        let rpc = self.rpc.as_ref().map(|rpc| rpc.scaled(across, down));
        let mut scaled = Self { transform: self.transform.map(scale), rpc, ..self.clone() };
        for point in &mut scaled.control_points {
            point[0] /= across;
            point[1] /= down;
        }
        scaled
    }
}

/// Checks memory limits before anything is allocated.
fn target(image: &Raster, width: usize, height: usize) -> Result<(u32, u32)> {
    let sides = [width, height, image.width(), image.height()];
    let limits = Limits::default();
    let bytes = image.dtype().bytes().saturating_mul(image.bands()) as u64;
    let pixels = (width as u64).saturating_mul(height as u64);
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(0), _) | (_, Ok(0)) => Err(Error::new(ErrorKind::Usage, "an image cannot have this size")
            .expected("sides of at least 1")
            .found(format!("{width} x {height}"))),
        (Ok(width), Ok(height))
            if sides.iter().all(|&side| side <= MAX_SIDE)
                && pixels <= limits.max_pixels
                && pixels.saturating_mul(bytes) <= limits.max_sample_bytes =>
        {
            Ok((width, height))
        }
        _ => Err(Error::new(ErrorKind::Limits, "an image is not resized from or to this size")
            .expected(format!(
                "sides of at most {MAX_SIDE}, {} pixels and {} bytes in all",
                limits.max_pixels, limits.max_sample_bytes
            ))
            .found(format!("{} x {} to {width} x {height}, {bytes} bytes a pixel", image.width(), image.height()))),
    }
}

/// Resizes band by band.
fn planes<T: Sample>(
    data: &Array3<T>,
    (width, height): (u32, u32),
    mut resized: impl FnMut(ArrayView2<'_, T>) -> Result<Vec<T>>,
) -> Result<Array3<T>> {
    let (bands, height, width) = (data.dim().0, height as usize, width as usize);
    let mut samples = Vec::with_capacity(bands * height * width);
    for plane in data.axis_iter(Axis(0)) {
        samples.extend(resized(plane)?);
    }
    Array3::from_shape_vec((bands, height, width), samples).map_err(failed)
}

/// Uses bytes throughout, which is faster.
fn resize_bytes(resizer: &mut Resizer, plane: ArrayView2<'_, u8>, size: (u32, u32)) -> Result<Vec<u8>> {
    let samples = plane.as_standard_layout();
    filter(resizer, samples.as_slice().unwrap_or_default(), plane.dim(), PixelType::U8, size)
}

/// Uses single precision, or double if samples need it. Nodata has zero weight: both the values and the shares with
/// data are filtered, and divided.
fn resize_any<T: Sample>(
    resizer: &mut Resizer,
    plane: ArrayView2<'_, T>,
    known: Known<'_, T>,
    size: (u32, u32),
) -> Result<Vec<T>> {
    let Known { gap, nodata, .. } = known;
    let known = known.of(plane);
    let mut values = plane.mapv(T::to_f64);
    values.zip_mut_with(&known, |value, known| *value = if *known { *value } else { 0.0 });
    let values = filter_numbers::<T>(resizer, values.view(), size)?;
    // Rounding may push a sum of the largest values out of range.
    let made = |value: f64| gap.avoided_by(T::nearest(value.clamp(T::LEAST, T::MOST)));
    if known.iter().all(|known| *known) {
        return Ok(values.into_iter().map(made).collect());
    }
    let shares = known.mapv(|known| if known { 1.0 } else { 0.0 });
    let shares = filter_numbers::<T>(resizer, shares.view(), size)?;
    let empty = nodata.and_then(T::meant_by).unwrap_or_else(|| T::nearest(f64::NAN));
    let mixed = |(value, share): (f64, f64)| if share < HALF { empty } else { made(value / share) };
    Ok(values.into_iter().zip(shares).map(mixed).collect())
}

/// The fast crate does not support double precision.
fn filter_numbers<T: Sample>(resizer: &mut Resizer, values: ArrayView2<'_, f64>, size: (u32, u32)) -> Result<Vec<f64>> {
    if T::IS_WIDE {
        return Ok(triangle::resized(values, (size.1 as usize, size.0 as usize)).into_raw_vec_and_offset().0);
    }
    let narrow: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Ok(filter_floats(resizer, &narrow, values.dim(), size)?.into_iter().map(f64::from).collect())
}

fn filter_floats(resizer: &mut Resizer, values: &[f32], from: (usize, usize), size: (u32, u32)) -> Result<Vec<f32>> {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    let bytes = filter(resizer, &bytes, from, PixelType::F32, size)?;
    Ok(bytes.as_chunks().0.iter().map(|value| f32::from_ne_bytes(*value)).collect())
}

/// `Convolution` widens the filter when shrinking, which prevents aliasing.
fn filter(
    resizer: &mut Resizer,
    samples: &[u8],
    (rows, columns): (usize, usize),
    pixel: PixelType,
    (width, height): (u32, u32),
) -> Result<Vec<u8>> {
    let mut aligned = Image::new(columns as u32, rows as u32, pixel);
    aligned.buffer_mut().copy_from_slice(samples);
    let mut to = Image::new(width, height, pixel);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    resizer.resize(&aligned, &mut to, &options).map_err(failed)?;
    Ok(to.into_vec())
}

fn failed(source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Usage, "image cannot be resized").because(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_image_stays_flat_and_bands_stay_apart() {
        let flat = |(band, ..): (usize, usize, usize)| 40 * band as u8;
        let image = Raster::new(Array3::from_shape_fn((3, 5, 7), flat)).unwrap();
        assert_eq!(image.resize(4, 9).unwrap().samples(), &Array3::from_shape_fn((3, 9, 4), flat).into());
        let wide = Raster::new(Array3::from_shape_fn((3, 5, 7), |at| 400 * i32::from(flat(at)))).unwrap();
        let expected = Array3::from_shape_fn((3, 9, 4), |at| 400 * i32::from(flat(at)));
        assert_eq!(wide.resize(4, 9).unwrap().samples(), &expected.into());
    }

    /// Without a filter as wide as the reduction factor, every second column would be picked: 0 or 200.
    #[test]
    fn shrinking_averages() {
        let stripes = Raster::new(Array3::from_shape_fn((1, 8, 32), |(.., x)| 200 * (x % 2) as u8)).unwrap();
        let small = stripes.resize(8, 8).unwrap().samples().to_f32();
        let inner = small.slice(ndarray::s![0, .., 1..7]).to_owned();
        assert!(inner.iter().all(|&v| (90.0..=110.0).contains(&v)), "{inner}");
    }

    #[test]
    fn the_same_size_is_the_same_image() {
        let image = Raster::new(Array3::from_shape_fn((2, 3, 4), |(b, y, x)| (b * 100 + y * 10 + x) as u8)).unwrap();
        assert_eq!(image.resize(4, 3).unwrap(), image);
    }

    #[test]
    fn what_has_no_data_does_not_color_its_neighbors() {
        let values = Array3::from_shape_fn((1, 8, 8), |(.., x)| if x < 4 { -9999i16 } else { 300 });
        let image = Raster::new(values).unwrap().with_nodata(-9999.0);
        let small = image.resize(4, 4).unwrap();
        let expected = Array3::from_shape_fn((1, 4, 4), |(.., x)| if x < 2 { -9999i16 } else { 300 });
        assert_eq!(small.samples(), &expected.into());
        let floats = Raster::new(Array3::from_elem((1, 4, 4), f32::NAN)).unwrap().resize(2, 2).unwrap();
        assert!(floats.samples().to_f32().iter().all(|value| value.is_nan()));
    }

    /// Bytes use all their values, so only the mask can mark nodata.
    #[test]
    fn what_a_mask_hides_does_not_color_its_neighbors() {
        let values = Array3::from_shape_fn((2, 8, 8), |(band, _, x)| if x < 4 { 0u8 } else { 200 + band as u8 });
        let valid = Array2::from_shape_fn((8, 8), |(_, x)| x >= 4);
        let expected = Array2::from_shape_fn((4, 4), |(_, x)| x >= 2);
        for image in
            [Raster::new(values.clone()), Raster::new(values.mapv(f32::from)), Raster::new(values.mapv(f64::from))]
        {
            let small = image.unwrap().with_validity(&valid).unwrap().resize(4, 4).unwrap();
            assert_eq!(small.validity(), expected);
            let right = small.part(0, 2, 4, 2).samples().to_f32();
            assert_eq!(right, Array3::from_shape_fn((2, 4, 2), |(band, ..)| 200.0 + band as f32));
        }
    }

    #[test]
    fn the_same_area_has_other_pixels() {
        let place = Place::new([10.0, 0.0, 500.0, 0.0, -10.0, 900.0]);
        let image = Raster::new(Array3::<u8>::zeros((1, 8, 6))).unwrap().with_place(place);
        assert_eq!(image.resize(12, 4).unwrap().place().transform(), [5.0, 0.0, 500.0, 0.0, -20.0, 900.0]);
    }

    #[test]
    fn sizes_that_cannot_be_are_refused() {
        let image = Raster::new(Array3::<u8>::zeros((1, 2, 2))).unwrap();
        assert_eq!(image.resize(0, 2).unwrap_err().kind(), ErrorKind::Usage);
        assert_eq!(image.resize(2, 0).unwrap_err().kind(), ErrorKind::Usage);
        for (width, height) in [(67_108_864, 1), (1, 1 << 21), (1 << 20, 1 << 20), (usize::MAX, usize::MAX)] {
            assert_eq!(image.resize(width, height).unwrap_err().kind(), ErrorKind::Limits, "{width} x {height}");
        }
    }

    #[test]
    fn a_computed_value_is_no_gap() {
        let values = Array3::from_shape_fn((1, 8, 8), |(.., x)| if x % 2 == 0 { -10i16 } else { 10 });
        let small = Raster::new(values).unwrap().with_nodata(0.0).resize(4, 4).unwrap();
        assert!(!small.gaps().iter().any(|&gap| gap), "{:?}", small.samples());
    }

    #[test]
    fn the_largest_values_stay_finite_and_large_integers_exact() {
        for value in [1e300, f64::MAX, -f64::MAX, 1e-300] {
            let image = Raster::new(Array3::from_elem((1, 5, 7), value)).unwrap();
            let made = image.resize(3, 9).unwrap();
            assert!(made.samples().band(0).unwrap().iter().all(|made| (made / value - 1.0).abs() < 1e-12), "{value}");
        }
        let floats = Raster::new(Array3::from_elem((1, 5, 7), f32::MAX)).unwrap().resize(3, 9).unwrap();
        assert!(floats.samples().to_f32().iter().all(|value| value.is_finite()));
        let large = Raster::new(Array3::from_elem((1, 5, 7), 123_456_789i32)).unwrap().resize(3, 9).unwrap();
        assert!(large.samples().band(0).unwrap().iter().all(|&value| value == 123_456_789.0));
    }

    /// The two methods differ only by rounding.
    #[test]
    fn wide_samples_are_filtered_as_narrow_ones() {
        let value = |(_, y, x): (usize, usize, usize)| (y * 37 + x * 91 + x * y) % 251;
        for (width, height) in [(5, 4), (30, 23), (13, 40), (1, 1)] {
            let narrow = Raster::new(Array3::from_shape_fn((1, 17, 23), |at| value(at) as f32)).unwrap();
            let wide = Raster::new(Array3::from_shape_fn((1, 17, 23), |at| value(at) as f64)).unwrap();
            let (narrow, wide) = (narrow.resize(width, height).unwrap(), wide.resize(width, height).unwrap());
            let off = narrow.samples().to_f32() - wide.samples().to_f32();
            assert!(off.iter().all(|off| off.abs() < 1e-3), "{width} x {height}: {off}");
        }
    }

    proptest::proptest! {
        /// For any values and nodata value, nothing becomes nodata if all pixels have data, and nothing exceeds the
        /// range of the pixels by more than the step away from the nodata value.
        #[test]
        fn an_image_without_gaps_has_none_at_another_size(
            values in proptest::collection::vec(-20i32..20, 48), nodata in -20i32..20, width in 1usize..20,
            height in 1usize..20, kind in 0..4,
        ) {
            let known: Vec<i32> = values.iter().map(|&value| if value == nodata { value + 1 } else { value }).collect();
            let array = Array3::from_shape_vec((1, 6, 8), known.clone()).unwrap();
            let samples: Samples = match kind {
                0 => array.mapv(|value| value as i16).into(),
                1 => array.into(),
                2 => array.mapv(|value| value as f32).into(),
                _ => array.mapv(f64::from).into(),
            };
            let made = Raster::new(samples).unwrap().with_nodata(f64::from(nodata)).resize(width, height).unwrap();
            proptest::prop_assert!(!made.gaps().iter().any(|&gap| gap));
            let (low, high) = (known.iter().min().unwrap() - 1, known.iter().max().unwrap() + 1);
            let band = made.samples().band(0).unwrap();
            proptest::prop_assert!(band.iter().all(|&value| f64::from(low) <= value && value <= f64::from(high)));
        }
    }
}
