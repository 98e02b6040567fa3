//! A whole image at another size.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use ndarray::{Array3, ArrayView2, Axis};

use super::{Limits, Raster};
use crate::error::{Error, ErrorKind, Result};

pub(super) fn resize(image: &Raster, width: usize, height: usize) -> Result<Raster> {
    let size = target(width, height)?;
    let mut samples = Vec::with_capacity(image.bands() * width * height);
    let mut resizer = Resizer::new();
    for plane in image.data.axis_iter(Axis(0)) {
        samples.extend(resize_plane(&mut resizer, plane, size)?);
    }
    let data = Array3::from_shape_vec((image.bands(), height, width), samples).map_err(failed)?;
    Ok(Raster { data })
}

fn target(width: usize, height: usize) -> Result<(u32, u32)> {
    match (u32::try_from(width), u32::try_from(height)) {
        (Ok(w @ 1..), Ok(h @ 1..)) if u64::from(w) * u64::from(h) <= Limits::default().max_pixels => Ok((w, h)),
        _ => Err(Error::new(ErrorKind::Usage, "an image cannot have this size")
            .expected(format!("sides of at least 1, at most {} pixels in all", Limits::default().max_pixels))
            .found(format!("{width} x {height}"))),
    }
}

/// `Convolution` widens the filter as it shrinks the image, which is what keeps it from aliasing.
fn resize_plane(resizer: &mut Resizer, plane: ArrayView2<'_, u8>, (width, height): (u32, u32)) -> Result<Vec<u8>> {
    let samples = plane.as_standard_layout();
    let from = ImageRef::new(
        plane.ncols() as u32,
        plane.nrows() as u32,
        samples.as_slice().unwrap_or_default(),
        PixelType::U8,
    )
    .map_err(failed)?;
    let mut to = Image::new(width, height, PixelType::U8);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    resizer.resize(&from, &mut to, &options).map_err(failed)?;
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
        let image = Raster::new(Array3::from_shape_fn((3, 5, 7), |(band, ..)| 40 * band as u8)).unwrap();
        let resized = image.resize(4, 9).unwrap();
        assert_eq!(resized.data(), &Array3::from_shape_fn((3, 9, 4), |(band, ..)| 40 * band as u8));
    }

    /// Without a filter as wide as the reduction, every second column would be picked: 0 or 200.
    #[test]
    fn shrinking_averages() {
        let stripes = Raster::new(Array3::from_shape_fn((1, 8, 32), |(.., x)| 200 * (x % 2) as u8)).unwrap();
        let small = stripes.resize(8, 8).unwrap();
        let inner = small.data().slice(ndarray::s![0, .., 1..7]).to_owned();
        assert!(inner.iter().all(|&v| (90..=110).contains(&v)), "{inner}");
    }

    #[test]
    fn the_same_size_is_the_same_image() {
        let image = Raster::new(Array3::from_shape_fn((2, 3, 4), |(b, y, x)| (b * 100 + y * 10 + x) as u8)).unwrap();
        assert_eq!(image.resize(4, 3).unwrap(), image);
    }

    #[test]
    fn a_side_of_zero_is_refused() {
        let image = Raster::new(Array3::zeros((1, 2, 2))).unwrap();
        assert_eq!(image.resize(0, 2).unwrap_err().kind(), ErrorKind::Usage);
    }
}
