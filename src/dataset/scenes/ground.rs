//! The size of scene pixels on the ground.

use std::path::Path;

use crate::dataset::domain::{Domain, PerDomain};
use crate::error::{Error, ErrorKind, Result};
use crate::raster::{Crs, Place, Source};

/// Meters per degree of latitude on a sphere of the Earth's mean radius, 6371.0088 km (IUGG).
const METERS_PER_DEGREE: f64 = 6_371_008.8 * std::f64::consts::PI / 180.0;
/// Pixel sizes that differ by less count as equal; augmentation varies them by more.
const ALIKE: f64 = 1.05;
const LARGEST_WINDOW: f64 = 65_536.0;

/// Everything known about the ground location of a scene.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ground {
    /// Height and width in pixels.
    pub size: (usize, usize),
    pub place: Place,
}

impl Ground {
    /// Reads the header of a scene.
    pub fn of(scene: &Source) -> Self {
        Self { size: scene.size(), place: scene.place().clone() }
    }

    /// Returns the height and width of a pixel in the units of the coordinate reference system; `None` without a
    /// transform.
    pub fn cell(&self) -> Option<(f64, f64)> {
        let [a, b, _, d, e, _] = self.place.transform();
        let cell = (b.hypot(e), a.hypot(d));
        (self.place.has_transform() && cell.0 > 0.0 && cell.1 > 0.0).then_some(cell)
    }

    /// Returns whether coordinates are in degrees.
    pub fn is_in_degrees(&self) -> bool {
        self.place.crs().is_some_and(Crs::is_geodetic)
    }

    /// Returns the side of a square with the area of a pixel, in meters if units are degrees or meters.
    pub fn side(&self) -> Option<f64> {
        let (down, across) = self.cell()?;
        let side = (down * across).sqrt();
        if !self.is_in_degrees() {
            return Some(side);
        }
        let (_, latitude) = self.place.to_ground(self.size.1 as f64 / 2.0, self.size.0 as f64 / 2.0);
        let shrinks = latitude.to_radians().cos();
        (shrinks > 0.0).then(|| side * METERS_PER_DEGREE * shrinks.sqrt())
    }

    /// Returns the height and width, in pixels of the scene, of a window that becomes a chip of this size.
    ///
    /// # Errors
    /// `Usage` if the scene cannot provide the requested resolution.
    pub fn window(&self, path: &Path, chip: (usize, usize), resolution: Option<f64>) -> Result<(usize, usize)> {
        let Some(resolution) = resolution else { return Ok(chip) };
        let Some((down, across)) = self.cell() else {
            return Err(Error::new(ErrorKind::Usage, "the resolution of a scene is not known")
                .at(path)
                .expected("a georeference, since PrepareData::resolution asks for pixels of one size on the ground")
                .found("none")
                .help("Give it one: gdal_translate -a_srs EPSG:... -a_ullr left top right bottom in.tif out.tif"));
        };
        let pixels = |chip: usize, cell: f64| (chip as f64 * resolution / cell).round();
        let (rows, columns) = (pixels(chip.0, down), pixels(chip.1, across));
        if ![rows, columns].iter().all(|side| (1.0..=LARGEST_WINDOW).contains(side)) {
            return Err(Error::new(ErrorKind::Usage, "the resolution is too far from that of a scene")
                .at(path)
                .expected(format!(
                    "windows of 1 to {LARGEST_WINDOW} pixels of the scene, which are {across} x {down} units"
                ))
                .found(format!("{columns} x {rows} pixels for PrepareData::resolution({resolution})"))
                .help("It is in the units of the scene's coordinate reference system: degrees for geographic ones."));
        }
        Ok((rows as usize, columns as usize))
    }

    pub(super) fn crs(&self) -> String {
        self.place.crs().map_or_else(|| "none".to_owned(), Crs::to_string)
    }
}

/// Returns an error if one resolution is set for scenes of which only some are in degrees.
pub(super) fn check_units<'a>(scenes: impl Iterator<Item = (&'a Path, &'a Ground)> + Clone) -> Result<()> {
    let find = |in_degrees: bool| scenes.clone().find(|(_, ground)| ground.is_in_degrees() == in_degrees);
    let (Some((path, geographic)), Some((other, projected))) = (find(true), find(false)) else { return Ok(()) };
    Err(Error::new(ErrorKind::Usage, "one resolution cannot be that of scenes in different units")
        .at(path)
        .expected(format!("the units of {} ({})", other.display(), projected.crs()))
        .found(format!("degrees ({})", geographic.crs()))
        .help(format!("Reproject it: gdalwarp {} -r bilinear {} out.tif", target(other, projected), path.display())))
}

/// Returns remarks on scenes whose pixels differ in size: by how much, and what to do.
pub(super) fn remarks(scenes: &PerDomain<Vec<Ground>>, resolution: Option<f64>) -> Vec<String> {
    let advice = "PrepareData::resolution brings windows to one";
    let mut remarks = Vec::new();
    for domain in Domain::BOTH.into_iter().filter(|_| resolution.is_none()) {
        if let Some((low, high)) = range(scenes.get(domain)).filter(|(low, high)| high / low > ALIKE) {
            let ratio = high / low;
            remarks.push(format!(
                "pixels of the scenes of domain {domain} are {low:.4} to {high:.4} units on the ground, a ratio of {ratio:.2}; {advice}"
            ));
        }
    }
    if let Some(ratio) = ratio(scenes).filter(|ratio| resolution.is_none() && (*ratio > ALIKE || ratio * ALIKE < 1.0)) {
        remarks.push(format!(
            "pixels of domain A are {ratio:.2} times as large on the ground as those of domain B; {advice}"
        ));
    }
    remarks
}

/// Returns the ratio of the ground size of a pixel of domain A to that of B, taking the middle of each domain's range.
pub(super) fn ratio(scenes: &PerDomain<Vec<Ground>>) -> Option<f64> {
    let middle = |domain| range(scenes.get(domain)).map(|(low, high)| (low * high).sqrt());
    Some(middle(Domain::A)? / middle(Domain::B)?)
}

/// Returns the smallest and the largest pixel size.
pub(super) fn range(scenes: &[Ground]) -> Option<(f64, f64)> {
    let sides = || scenes.iter().filter_map(Ground::side);
    Some((sides().reduce(f64::min)?, sides().reduce(f64::max)?))
}

/// Returns the gdalwarp option for the coordinate reference system of a scene.
pub(super) fn target(path: &Path, ground: &Ground) -> String {
    match ground.place.crs() {
        Some(crs @ Crs::Epsg(_)) => format!("-t_srs {crs}"),
        _ => format!("-t_srs \"$(gdalsrsinfo -o wkt {})\"", path.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(transform: [f64; 6], epsg: u16) -> Ground {
        Ground { size: (100, 200), place: Place::new(transform).with_epsg(epsg).unwrap() }
    }

    fn at(ground: &Ground) -> (&'static Path, &Ground) {
        (Path::new("scene.tif"), ground)
    }

    #[test]
    fn degrees_are_measured_at_their_latitude() {
        let utm = ground([10.0, 0.0, 399_960.0, 0.0, -10.0, 5_300_040.0], 32633);
        assert_eq!((utm.cell(), utm.side()), (Some((10.0, 10.0)), Some(10.0)));
        // From 60.5 to 59.5 degrees north, where a degree of longitude is half as long as at the equator.
        let degrees = ground([0.01, 0.0, 20.0, 0.0, -0.01, 60.5], 4326);
        let expected = 1111.949 * 0.5f64.sqrt();
        assert!((degrees.side().unwrap() - expected).abs() < 0.01, "{:?}", degrees.side());
        assert_eq!(Ground { size: (1, 1), place: Place::default() }.side(), None);
    }

    #[test]
    fn a_resolution_asks_for_pixels_of_a_scene() {
        let utm = ground([5.0, 0.0, 0.0, 0.0, -10.0, 0.0], 32633);
        let window = |resolution| utm.window(Path::new("a.tif"), (64, 64), resolution);
        assert_eq!(window(None).unwrap(), (64, 64));
        assert_eq!(window(Some(10.0)).unwrap(), (64, 128));
        let error = window(Some(1e-9)).unwrap_err();
        assert!(error.to_string().contains("a.tif") && error.to_string().contains("degrees"), "{error}");
        let nowhere = Ground { size: (100, 100), place: Place::default() };
        assert_eq!(nowhere.window(Path::new("a.tif"), (64, 64), Some(1.0)).unwrap_err().kind(), ErrorKind::Usage);
        let degrees = ground([0.01, 0.0, 20.0, 0.0, -0.01, 60.5], 4326);
        assert!(check_units([at(&utm), at(&utm)].into_iter()).is_ok());
        let error = check_units([at(&utm), at(&degrees)].into_iter()).unwrap_err().to_string();
        assert!(error.contains("gdalwarp -t_srs EPSG:32633"), "{error}");
    }

    #[test]
    fn other_sizes_of_pixels_are_told() {
        let [fine, coarse] = [10.0, 30.0].map(|side| ground([side, 0.0, 0.0, 0.0, -side, 0.0], 32633));
        let scenes = PerDomain { a: vec![fine.clone(), coarse], b: vec![fine.clone()] };
        let told = remarks(&scenes, None);
        assert!(told.len() == 2 && told[0].contains("ratio of 3.00") && told[1].contains("1.73 times"), "{told:?}");
        assert!(remarks(&scenes, Some(10.0)).is_empty());
        assert!(remarks(&PerDomain { a: vec![fine.clone()], b: vec![fine] }, None).is_empty());
    }
}
