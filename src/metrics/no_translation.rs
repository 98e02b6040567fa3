//! The source itself: what a model must be better than to be worth its training.

use ndarray::{Array3, ArrayView3};

use super::bands::check_bands;
use crate::error::Result;

/// Returns the source as its own translation into a domain of `bands` bands.
///
/// # Errors
/// `Usage` where the source has another number of bands, since it is then no image of that domain.
pub(crate) fn no_translation(source: ArrayView3<'_, f32>, bands: usize) -> Result<Array3<f32>> {
    check_bands(source, bands)?;
    Ok(source.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_stays_where_bands_agree() {
        let source = Array3::from_shape_fn((2, 3, 4), |(band, y, x)| (band + y + x) as f32);
        assert_eq!(no_translation(source.view(), 2).unwrap(), source);
        assert!(no_translation(source.view(), 3).is_err());
    }
}
