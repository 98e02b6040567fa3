//! Handling of chips that differ in size.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::random::Stream;
use crate::raster::Raster;

/// What to do with chips that differ in height or width from the others of their domain.
///
/// | Variant | Size of all chips | Method |
/// |---|---|---|
/// | `Fail` | | `prepare` fails, and lists the sizes |
/// | `Crop` | the smallest height and width | cropping, at a random position in training and centered otherwise |
/// | `Pad` | the largest height and width | mirroring at the right and bottom |
/// | `Resize` | the most common size | interpolation, as in [`Raster::resize`](crate::Raster::resize) |
///
/// [`resize_to`](crate::PrepareData::resize_to) takes precedence, because it makes all chips the same size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MixedSizes {
    /// `prepare` fails. The default, since mixed sizes are usually a mistake.
    #[default]
    Fail,
    /// Crops to the size of the smallest chip.
    Crop,
    /// Mirrors chips to the size of the largest chip.
    Pad,
    /// Resizes to the most common size.
    Resize,
}

impl MixedSizes {
    /// Returns the target size for chips of these sizes; `common` is the most common one.
    pub(super) fn target(self, sizes: &[(usize, usize)], common: (usize, usize)) -> (usize, usize) {
        let of = |pick: fn(usize, usize) -> usize| {
            sizes.iter().copied().reduce(|a, b| (pick(a.0, b.0), pick(a.1, b.1))).unwrap_or(common)
        };
        match self {
            Self::Fail | Self::Resize => common,
            Self::Crop => of(usize::min),
            Self::Pad => of(usize::max),
        }
    }

    /// Brings `chip` to the target size. A crop is placed by `random`, or centered without it.
    pub(super) fn fit(self, chip: Raster, target: (usize, usize), random: Option<&mut Stream>) -> Result<Raster> {
        let (height, width) = target;
        if (chip.height(), chip.width()) == target {
            return Ok(chip);
        }
        match self {
            Self::Fail => Ok(chip),
            Self::Resize => chip.resize(width, height),
            Self::Pad => mirrored(chip, height, width),
            Self::Crop => Ok(window(chip, height, width, random)),
        }
    }
}

/// Crops a window; a chip smaller than the window stays as it is.
fn window(chip: Raster, height: usize, width: usize, random: Option<&mut Stream>) -> Raster {
    if chip.height() < height || chip.width() < width {
        return chip;
    }
    let (rows, columns) = (chip.height() - height, chip.width() - width);
    let (row, column) = match random {
        Some(random) => (random.below(rows + 1), random.below(columns + 1)),
        None => (rows / 2, columns / 2),
    };
    chip.crop(row, column, height, width)
}

fn mirrored(chip: Raster, height: usize, width: usize) -> Result<Raster> {
    if chip.height() > height || chip.width() > width {
        return Ok(chip);
    }
    let rows: Vec<usize> = (0..height).map(|y| reflected(y, chip.height())).collect();
    let columns: Vec<usize> = (0..width).map(|x| reflected(x, chip.width())).collect();
    Ok(chip.gathered(&rows, &columns))
}

/// Returns the mirrored index, 0 1 2 1 0 1 2 …: the edge pixel is not repeated.
fn reflected(place: usize, size: usize) -> usize {
    let period = (2 * size - 2).max(1);
    let within = place % period;
    within.min(period - within)
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;

    use super::*;
    use crate::random::Seed;

    fn ramp(height: usize, width: usize) -> Raster {
        Raster::new(Array3::from_shape_fn((2, height, width), |(b, y, x)| (100 * b + 10 * y + x) as u16)).unwrap()
    }

    #[test]
    fn targets_follow_the_choice() {
        let sizes = [(10, 20), (12, 18), (12, 18)];
        let target = |choice: MixedSizes| choice.target(&sizes, (12, 18));
        assert_eq!(target(MixedSizes::Crop), (10, 18));
        assert_eq!(target(MixedSizes::Pad), (12, 20));
        assert_eq!(target(MixedSizes::Resize), (12, 18));
    }

    #[test]
    fn the_window_is_in_the_middle_or_anywhere() {
        let middle = MixedSizes::Crop.fit(ramp(6, 9), (4, 4), None).unwrap();
        assert_eq!(middle.samples().band(0).unwrap()[(0, 0)], 12.0);
        let mut random = Seed(3).stream("crop", 0);
        let mut starts: Vec<f64> = (0..200)
            .map(|_| MixedSizes::Crop.fit(ramp(6, 9), (4, 4), Some(&mut random)).unwrap())
            .map(|window| window.samples().band(0).unwrap()[(0, 0)])
            .collect();
        starts.sort_by(f64::total_cmp);
        starts.dedup();
        assert_eq!(starts.len(), 3 * 6, "{starts:?}");
    }

    #[test]
    fn padding_mirrors_without_repeating_the_edge() {
        let padded = MixedSizes::Pad.fit(ramp(3, 2), (6, 5), None).unwrap();
        let rows: Vec<f64> = padded.samples().band(0).unwrap().column(0).to_vec();
        assert_eq!(rows, [0.0, 10.0, 20.0, 10.0, 0.0, 10.0]);
        let columns: Vec<f64> = padded.samples().band(1).unwrap().row(0).to_vec();
        assert_eq!(columns, [100.0, 101.0, 100.0, 101.0, 100.0]);
        let one = MixedSizes::Pad.fit(ramp(1, 1), (3, 3), None).unwrap();
        assert!(one.samples().band(0).unwrap().iter().all(|&value| value == 0.0));
    }
}
