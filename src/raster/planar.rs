//! Converts pixel-interleaved samples to bands.

use ndarray::Array3;

/// Converts pixel-interleaved samples, `per_pixel` each, to (bands, height, width) of the first `bands` bands.
pub(super) fn planar(samples: &[u8], per_pixel: usize, bands: usize, height: usize, width: usize) -> Array3<u8> {
    let mut planes = Array3::zeros((bands, height, width));
    // A compile-time constant makes this several times as fast.
    match per_pixel {
        1 => take_apart::<1>(samples, &mut planes),
        2 => take_apart::<2>(samples, &mut planes),
        3 => take_apart::<3>(samples, &mut planes),
        _ => take_apart::<4>(samples, &mut planes),
    }
    planes
}

fn take_apart<const PER_PIXEL: usize>(samples: &[u8], planes: &mut Array3<u8>) {
    let pixels = samples.as_chunks::<PER_PIXEL>().0;
    let plane = (planes.dim().1 * planes.dim().2).max(1);
    let planes = planes.as_slice_mut().unwrap_or_default();
    for (band, plane) in planes.chunks_exact_mut(plane).enumerate().take(PER_PIXEL) {
        plane.iter_mut().zip(pixels).for_each(|(to, pixel)| *to = pixel[band]);
    }
}
