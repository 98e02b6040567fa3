//! Whether scenes show the same ground.

use std::path::Path;

use crate::dataset::scenes::SceneWindow;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Place, Source};

/// Corners of paired scenes may differ by so much of a pixel: georeferences are seldom written to the last digit.
const TOLERANCE: f64 = 0.01;

/// The file of a scene.
pub(super) fn path_of(scene: &Source) -> &Path {
    scene.path().unwrap_or(Path::new(""))
}

/// Checks that two scenes have the same reference system, ground and size.
///
/// # Errors
/// [`ErrorKind::Usage`] with the call of GDAL that brings B to A's.
pub(super) fn check_pair(a: &Source, b: &Source) -> Result<()> {
    let system = |scene: &Source| scene.place().crs().map_or("no reference system".to_string(), ToString::to_string);
    let size = |scene: &Source| format!("{} x {} pixels", scene.size().1, scene.size().0);
    let (what, expected, found) = if a.place().crs() != b.place().crs() {
        ("reference systems", system(a), system(b))
    } else if a.size() != b.size() {
        ("sizes", size(a), size(b))
    } else if !is_same_ground(a.place(), b.place(), a.size()) {
        let transform = |scene: &Source| format!("the transform {:?}", scene.place().transform());
        ("places", transform(a), transform(b))
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Usage, format!("paired scenes have different {what}"))
        .at(path_of(b))
        .expected(format!("{expected}, as {} has", path_of(a).display()))
        .found(found)
        .help(how_to_match(a, b)))
}

fn is_same_ground(one: &Place, other: &Place, (height, width): (usize, usize)) -> bool {
    let [a, b, _, d, e, _] = one.transform();
    let side = a.hypot(d).min(b.hypot(e));
    let corner = |place: &Place, x: f64, y: f64| {
        let [a, b, c, d, e, f] = place.transform();
        (a * x + b * y + c, d * x + e * y + f)
    };
    one.has_transform() == other.has_transform()
        && [(0.0, 0.0), (width as f64, 0.0), (0.0, height as f64)].iter().all(|&(x, y)| {
            let ((east, north), (other_east, other_north)) = (corner(one, x, y), corner(other, x, y));
            (east - other_east).hypot(north - other_north) <= TOLERANCE * side
        })
}

fn how_to_match(a: &Source, b: &Source) -> String {
    let [width, turn, west, other_turn, height, north] = a.place().transform();
    let (rows, columns) = a.size();
    let is_upright = a.place().has_transform() && turn == 0.0 && other_turn == 0.0 && width > 0.0 && height < 0.0;
    let Some(system) = a.place().crs().filter(|_| is_upright) else {
        return "Give both scenes a georeference with north up, on the same grid; gdalwarp makes such files.".into();
    };
    let (east, south) = (west + width * columns as f64, north + height * rows as f64);
    format!(
        "Bring it to the other's grid: gdalwarp -t_srs {system} -te {west} {south} {east} {north} -ts {columns} {rows} -r bilinear \
         {} matched.tif",
        path_of(b).display()
    )
}

/// Returns the pixels of one scene that show the ground of a window of another one; none where they share none, or where the
/// georeferences do not tell.
pub(super) fn seen_in(scene: &Source, other: &Source, window: SceneWindow) -> Option<SceneWindow> {
    let (own, others) = (scene.place(), other.place());
    if own.crs().is_none() || own.crs() != others.crs() || !own.has_transform() || !others.has_transform() {
        return None;
    }
    let [a, b, c, d, e, f] = others.transform();
    let corners = [
        (window.column, window.row),
        (window.right(), window.row),
        (window.column, window.bottom()),
        (window.right(), window.bottom()),
    ];
    let pixels = corners.map(|(column, row)| {
        let (x, y) = (column as f64, row as f64);
        to_pixels(own.transform(), (a * x + b * y + c, d * x + e * y + f))
    });
    if !pixels.iter().all(|(x, y)| x.is_finite() && y.is_finite()) {
        return None;
    }
    let range = |values: [f64; 4], length: usize| {
        // A hair of rounding is no pixel.
        let low = values.iter().copied().fold(f64::INFINITY, f64::min) + TOLERANCE;
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max) - TOLERANCE;
        let (low, high) = (low.floor().max(0.0), high.ceil().min(length as f64));
        (low < high).then_some((low as usize, high as usize))
    };
    let (height, width) = scene.size();
    let (left, right) = range(pixels.map(|(x, _)| x), width)?;
    let (top, bottom) = range(pixels.map(|(_, y)| y), height)?;
    Some(SceneWindow::new(left, top, right - left, bottom - top))
}

/// Turns coordinates into columns and rows; not finite where the transform has no inverse.
pub(super) fn to_pixels([a, b, c, d, e, f]: [f64; 6], (x, y): (f64, f64)) -> (f64, f64) {
    let determinant = a * e - b * d;
    let (x, y) = (x - c, y - f);
    ((e * x - b * y) / determinant, (a * y - d * x) / determinant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Raster;
    use ndarray::Array3;

    fn scene(transform: [f64; 6], epsg: u16, size: (usize, usize)) -> Source {
        let image = Raster::new(Array3::<u8>::zeros((1, size.0, size.1))).unwrap();
        Source::of(image.with_place(Place::new(transform).with_epsg(epsg).unwrap()))
    }

    #[test]
    fn unlike_pairs_are_told_how_to_match() {
        let a = scene([10.0, 0.0, 500.0, 0.0, -10.0, 4100.0], 32633, (40, 60));
        check_pair(&a, &scene([10.0, 0.0, 500.0, 0.0, -10.0, 4100.001], 32633, (40, 60))).unwrap();
        for (what, b) in [
            ("reference systems", scene([10.0, 0.0, 500.0, 0.0, -10.0, 4100.0], 32634, (40, 60))),
            ("sizes", scene([10.0, 0.0, 500.0, 0.0, -10.0, 4100.0], 32633, (41, 60))),
            ("places", scene([10.0, 0.0, 505.0, 0.0, -10.0, 4100.0], 32633, (40, 60))),
            ("places", scene([10.1, 0.0, 500.0, 0.0, -10.0, 4100.0], 32633, (40, 60))),
        ] {
            let error = check_pair(&a, &b).unwrap_err().to_string();
            let call = "gdalwarp -t_srs EPSG:32633 -te 500 3700 1100 4100 -ts 60 40";
            assert!(error.contains(what) && error.contains(call), "{error}");
        }
    }

    #[test]
    fn ground_is_found_in_another_scene() {
        let one = scene([10.0, 0.0, 500.0, 0.0, -10.0, 4100.0], 32633, (40, 60));
        let other = scene([20.0, 0.0, 900.0, 0.0, -20.0, 4000.0], 32633, (40, 60));
        let seen = |window| seen_in(&one, &other, window);
        assert_eq!(seen(SceneWindow::new(0, 0, 5, 5)), Some(SceneWindow::new(40, 10, 10, 10)));
        assert_eq!(seen(SceneWindow::new(5, 5, 20, 20)), Some(SceneWindow::new(50, 20, 10, 20)));
        assert_eq!(seen(SceneWindow::new(10, 0, 5, 5)), None);
        let elsewhere = scene([10.0, 0.0, 500.0, 0.0, -10.0, 4100.0], 32634, (40, 60));
        assert_eq!(seen_in(&one, &elsewhere, SceneWindow::new(0, 0, 5, 5)), None);
    }
}
