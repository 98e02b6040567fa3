//! Whether two images say that they show the same place.

use crate::raster::RasterInfo;

/// Corners may lie so far from each other, in pixels of the first image: rounding, and grids of other pixel sizes.
const TOLERANCE: f64 = 0.5;

/// What the georeferences of two images say of each other.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Agreement {
    /// The same place, or nothing: one of them has no transform or no coordinate system.
    Unopposed,
    /// Corners that lie up to so many pixels of the first image from each other.
    Shifted(f64),
    /// Coordinates of different systems.
    OtherSystem,
    /// Places that share nothing.
    Apart,
}

/// Compares the corners of two images that become equally large.
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

/// Returns the outer corners in coordinates: upper left, upper right, lower left, lower right.
fn corners(info: &RasterInfo) -> [[f64; 2]; 4] {
    let (width, height) = (info.width() as f64, info.height() as f64);
    [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
        .map(|(column, row)| info.place().to_ground(column, row).into())
}

/// Tells whether the boxes around two images do not overlap; images that touch do not either.
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

/// The side of a square as large as a pixel.
fn pixel(info: &RasterInfo) -> f64 {
    let [a, b, _, d, e, _] = info.place().transform();
    (a * e - b * d).abs().sqrt()
}
