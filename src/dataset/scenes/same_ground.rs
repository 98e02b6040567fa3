//! Checks whether scenes are on the same grid, and which of their pixels show the same ground.

use std::path::Path;

use super::ground::{Ground, target};
use super::spatial_split::SpatialSplit;
use super::window::SceneWindow;
use crate::error::{Error, ErrorKind, Result};

/// Positions within this many pixels count as equal, since georeferences are seldom written with full precision.
const TOLERANCE: f64 = 0.01;

impl Ground {
    /// Returns whether two scenes have the same size, coordinate reference system, and corners.
    pub fn is_on_grid_of(&self, other: &Self) -> bool {
        self.size == other.size && self.place.crs() == other.place.crs() && self.has_corners_of(other)
    }

    fn has_corners_of(&self, other: &Self) -> bool {
        let side = self.cell().map_or(1.0, |(down, across)| down.min(across));
        let are_near = |((x, y), (other_x, other_y)): ((f64, f64), (f64, f64))| {
            (x - other_x).hypot(y - other_y) <= TOLERANCE * side
        };
        let whole = SceneWindow::new(0, 0, self.size.1, self.size.0);
        self.place.has_transform() == other.place.has_transform()
            && self.corners(whole).into_iter().zip(other.corners(whole)).all(are_near)
    }

    /// Returns whether the georeference locates the scene on the Earth.
    fn is_known(&self) -> bool {
        self.place.has_transform() && self.place.crs().is_some()
    }

    /// Returns the coordinates of the corners of a window.
    fn corners(&self, window: SceneWindow) -> [(f64, f64); 4] {
        let (left, right) = (window.column as f64, window.right() as f64);
        let (top, bottom) = (window.row as f64, window.bottom() as f64);
        [(left, top), (right, top), (left, bottom), (right, bottom)].map(|(x, y)| self.place.to_ground(x, y))
    }

    /// Returns the pixels that show the ground of a window of another scene; `None` if there are none, or if the
    /// georeferences are insufficient.
    pub fn pixels_of_ground(&self, other: &Self, window: SceneWindow) -> Option<SceneWindow> {
        if !self.is_known() || !other.is_known() || self.place.crs() != other.place.crs() {
            return None;
        }
        let pixels = other.corners(window).map(|(x, y)| self.place.to_pixel(x, y));
        if !pixels.iter().all(|(x, y)| x.is_finite() && y.is_finite()) {
            return None;
        }
        let range = |values: [f64; 4], length: usize| {
            let (low, high) = bounds(values);
            let (low, high) = ((low + TOLERANCE).floor().max(0.0), (high - TOLERANCE).ceil().min(length as f64));
            (low < high).then_some((low as usize, high as usize))
        };
        let (left, right) = range(pixels.map(|(x, _)| x), self.size.1)?;
        let (top, bottom) = range(pixels.map(|(_, y)| y), self.size.0)?;
        Some(SceneWindow::new(left, top, right - left, bottom - top))
    }
}

fn bounds(values: [f64; 4]) -> (f64, f64) {
    (values.into_iter().fold(f64::INFINITY, f64::min), values.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

/// Returns an error if a scene is not on the grid of its partner.
///
/// # Errors
/// [`ErrorKind::Layout`] with the gdalwarp command that warps B to the grid of A.
pub(crate) fn check_same_grid(a: (&Path, &Ground), b: (&Path, &Ground)) -> Result<()> {
    let ((path, own), (partner, other)) = (a, b);
    if own.is_on_grid_of(other) {
        return Ok(());
    }
    let describe = |ground: &Ground| {
        let [a, b, c, d, e, f] = ground.place.transform();
        let (height, width) = ground.size;
        format!("{width} x {height} pixels, transform [{a}, {b}, {c}, {d}, {e}, {f}], CRS {}", ground.crs())
    };
    let error = Error::new(ErrorKind::Layout, "scenes of a pair do not lie on one grid")
        .at(partner)
        .expected(format!("that of {}: {}", path.display(), describe(own)))
        .found(describe(other));
    Err(error.help(format!("{} Unpaired data (DatasetType::CycleGan) may lie anywhere.", how_to_match(a, partner))))
}

fn how_to_match((path, ground): (&Path, &Ground), partner: &Path) -> String {
    let [across, turn, _, other_turn, down, _] = ground.place.transform();
    let is_upright = turn == 0.0 && other_turn == 0.0 && across > 0.0 && down < 0.0;
    if !ground.is_known() || !is_upright {
        return "Give both scenes a georeference with north up, on the same grid; gdalwarp makes such files.".into();
    }
    let (height, width) = ground.size;
    let corners = ground.corners(SceneWindow::new(0, 0, width, height));
    let ((west, east), (south, north)) = (bounds(corners.map(|(x, _)| x)), bounds(corners.map(|(_, y)| y)));
    format!(
        "Bring it there: gdalwarp {} -te {west} {south} {east} {north} -ts {width} {height} -r bilinear {} aligned.tif.",
        target(path, ground),
        partner.display()
    )
}

/// Returns for each scene the first one on the same grid, or itself if there is no earlier one. Scenes without a known
/// location are assumed to show ground of their own.
pub(crate) fn first_on_grid(scenes: &[Ground]) -> Vec<usize> {
    let first = |(index, scene): (usize, &Ground)| {
        let earlier = scenes.iter().take(index).position(|other| scene.is_known() && scene.is_on_grid_of(other));
        earlier.unwrap_or(index)
    };
    scenes.iter().enumerate().map(first).collect()
}

/// Returns for each scene the pixels whose ground is set aside for validation in a scene on another grid.
pub(crate) fn validation_elsewhere(scenes: &[Ground], splits: &[SpatialSplit]) -> Vec<Vec<SceneWindow>> {
    let first = first_on_grid(scenes);
    let blocks: Vec<(usize, &Ground, Vec<SceneWindow>)> = (first.iter().zip(scenes).zip(splits))
        .map(|((first, scene), split)| (*first, scene, split.validation_blocks().collect()))
        .collect();
    let of = |(own, scene): (&usize, &Ground)| {
        let others = blocks.iter().filter(|(other, ..)| other != own);
        others
            .flat_map(|(_, other, blocks)| blocks.iter().filter_map(|block| scene.pixels_of_ground(other, *block)))
            .collect()
    };
    first.iter().zip(scenes).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Place;

    fn ground(transform: [f64; 6], epsg: u16, size: (usize, usize)) -> Ground {
        Ground { size, place: Place::new(transform).with_epsg(epsg).unwrap() }
    }

    fn utm(transform: [f64; 6]) -> Ground {
        ground(transform, 32633, (40, 60))
    }

    const PLACE: [f64; 6] = [10.0, 0.0, 500.0, 0.0, -10.0, 4100.0];

    fn check(a: &Ground, b: &Ground) -> Result<()> {
        check_same_grid((Path::new("a.tif"), a), (Path::new("b.tif"), b))
    }

    #[test]
    fn pairs_on_other_grids_are_told_how_to_match() {
        let a = utm(PLACE);
        check(&a, &utm([10.0, 0.0, 500.0, 0.0, -10.0, 4100.001])).unwrap();
        for (found, b) in [
            ("CRS EPSG:32634", ground(PLACE, 32634, (40, 60))),
            ("60 x 41 pixels", ground(PLACE, 32633, (41, 60))),
            ("transform [10, 0, 505,", utm([10.0, 0.0, 505.0, 0.0, -10.0, 4100.0])),
            ("transform [10.1, 0, 500,", utm([10.1, 0.0, 500.0, 0.0, -10.0, 4100.0])),
        ] {
            let error = check(&a, &b).unwrap_err();
            let call = "gdalwarp -t_srs EPSG:32633 -te 500 3700 1100 4100 -ts 60 40 -r bilinear b.tif";
            assert_eq!(error.kind(), ErrorKind::Layout);
            assert!(error.to_string().contains(found) && error.to_string().contains(call), "{error}");
        }
        let nowhere = Ground { size: (40, 60), place: Place::default() };
        check(&nowhere, &nowhere).unwrap();
        assert!(check(&nowhere, &a).unwrap_err().to_string().contains("north up"));
    }

    #[test]
    fn ground_is_found_in_another_scene() {
        let (one, other) = (utm(PLACE), utm([20.0, 0.0, 900.0, 0.0, -20.0, 4000.0]));
        let seen = |window| one.pixels_of_ground(&other, window);
        assert_eq!(seen(SceneWindow::new(0, 0, 5, 5)), Some(SceneWindow::new(40, 10, 10, 10)));
        assert_eq!(seen(SceneWindow::new(5, 5, 20, 20)), Some(SceneWindow::new(50, 20, 10, 20)));
        assert_eq!(seen(SceneWindow::new(10, 0, 5, 5)), None);
        let elsewhere = ground(PLACE, 32634, (40, 60));
        assert_eq!(one.pixels_of_ground(&elsewhere, SceneWindow::new(0, 0, 5, 5)), None);
    }

    #[test]
    fn scenes_of_one_grid_are_one_stack() {
        let nowhere = Ground { size: (40, 60), place: Place::default() };
        let shifted = utm([10.0, 0.0, 600.0, 0.0, -10.0, 4100.0]);
        let scenes = [utm(PLACE), nowhere.clone(), shifted.clone(), utm(PLACE), nowhere, shifted];
        assert_eq!(first_on_grid(&scenes), [0, 1, 2, 0, 4, 2]);
    }
}
