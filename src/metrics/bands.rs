//! Checks that all images of a set have the same number of bands.

use ndarray::{ArrayView3, Axis};

use crate::error::{Error, ErrorKind, Result};

/// Returns an error for an image with another number of bands.
pub(super) fn check_bands(image: ArrayView3<'_, f32>, bands: usize) -> Result<()> {
    let found = image.len_of(Axis(0));
    if found == bands {
        return Ok(());
    }
    let what = "image has another number of bands than the images of the set";
    Err(Error::new(ErrorKind::Usage, what).expected(bands).found(found))
}
