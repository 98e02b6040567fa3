//! Images shared by the unit tests of this module.

use ndarray::Array3;

use super::{Place, Raster};

/// Returns an image of one band of 3 x 5 bytes, 10 * row + column + 1, with a rotated georeference.
pub(super) fn numbered() -> Raster {
    let samples = Array3::from_shape_fn((1, 3, 5), |(_, y, x)| (10 * y + x + 1) as u8);
    let place = Place::new([10.0, 2.0, 500.0, 1.0, -10.0, 4100.0]);
    Raster::plain(samples.into()).with_place(place)
}
