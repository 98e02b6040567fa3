//! Checks whether the georeferences of two images agree.

use crate::raster::RasterInfo;

/// Largest distance between matching corners, in pixels of the first image; allows for rounding and for different pixel
/// sizes.
const TOLERANCE: f64 = 0.5;

/// How the georeferences of two images compare.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Agreement {
    /// They agree, or one image has no transform or no coordinate reference system.
    Unopposed,
    /// Corners are up to this many pixels of the first image apart.
    Shifted(f64),
    /// Coordinates are in different reference systems.
    OtherSystem,
    /// The images do not overlap.
    Apart,
}

/// Compares the corners of two images that will have the same size.
pub(super) fn agreement(one: &RasterInfo, other: &RasterInfo) -> Agreement {
    let are_placed = one.place().has_transform() && other.place().has_transform();
    let (Some(first), Some(second), true) = (one.place().crs(), other.place().crs(), are_placed) else {
        return Agreement::Unopposed;
    };
    if first != second {
        return Agreement::OtherSystem;
    }
    let (corners, others) = (corners(one), corners(other));
    if are_apart(&corners, &others) {
        return Agreement::Apart;
    }
    let distances = corners.iter().zip(&others).map(|(one, other)| (one[0] - other[0]).hypot(one[1] - other[1]));
    let farthest = distances.fold(0.0, f64::max) / pixel(one);
    if farthest > TOLERANCE { Agreement::Shifted(farthest) } else { Agreement::Unopposed }
}

/// Returns the coordinates of the outer corners: upper left, upper right, lower left, lower right.
fn corners(info: &RasterInfo) -> [[f64; 2]; 4] {
    let (width, height) = (info.width() as f64, info.height() as f64);
    [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
        .map(|(column, row)| info.place().to_ground(column, row).into())
}

/// Returns whether the bounding boxes of two images do not overlap; images that only touch do not overlap.
fn are_apart(one: &[[f64; 2]; 4], other: &[[f64; 2]; 4]) -> bool {
    let range = |corners: &[[f64; 2]; 4], axis: usize| {
        let values = corners.map(|corner| corner[axis]);
        (values.into_iter().fold(f64::INFINITY, f64::min), values.into_iter().fold(f64::NEG_INFINITY, f64::max))
    };
    [0, 1].into_iter().any(|axis| {
        let ((low, high), (other_low, other_high)) = (range(one, axis), range(other, axis));
        low >= other_high || other_low >= high
    })
}

/// Returns the side of a square with the area of a pixel.
fn pixel(info: &RasterInfo) -> f64 {
    let [a, b, _, d, e, _] = info.place().transform();
    (a * e - b * d).abs().sqrt()
}
