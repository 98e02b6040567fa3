//! Access to the scenes of prepared data.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use super::geojson::{self, PlacedWindow};
use super::ground::{self, Ground};
use super::scene_set::SceneSet;
use super::window::SceneWindow;
use crate::dataset::bunch::{DataBunch, Split};
use crate::dataset::domain::Domain;
use crate::error::{Error, ErrorKind, Result};

impl DataBunch {
    /// Returns whether windows are drawn from scenes.
    pub(crate) fn has_scenes(&self) -> bool {
        self.scene_set(Domain::A).is_some()
    }

    fn scene_set(&self, domain: Domain) -> Option<&SceneSet> {
        self.domain(domain).scenes.as_deref()
    }

    /// Returns the [scenes](crate::PrepareData::scenes) of a domain, in the order in which they were given; empty for
    /// chips.
    pub fn scene_files(&self, domain: Domain) -> impl Iterator<Item = &Path> {
        self.scene_set(domain).into_iter().flat_map(SceneSet::paths)
    }

    /// Returns the windows in a split of a domain, each with its scene: those that an epoch draws, in order, or the
    /// validation windows, which are the same in every epoch. Empty for chips.
    ///
    /// ```
    /// use geolearn::dataset::Split;
    /// use geolearn::{DatasetType, Domain, PrepareData};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let scene = "assets/scenes/bluemarble_asia.tif";
    /// # let options = PrepareData::new(folder.path(), DatasetType::CycleGan).scenes(Domain::A, [scene]).scenes(Domain::B, [scene]);
    /// let data = options.chip_size(64).prepare()?;
    /// let kept = data.windows(Domain::A, Split::Valid, 0);
    /// for (_scene, window) in data.windows(Domain::A, Split::Train, 5) {
    ///     assert!(kept.iter().all(|(_, kept)| !window.overlaps(*kept)));
    /// }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn windows(&self, domain: Domain, split: Split, epoch: u64) -> Vec<(&Path, SceneWindow)> {
        let Some(set) = self.scene_set(domain) else { return Vec::new() };
        let scenes: Vec<&Path> = set.paths().collect();
        let windows = match split {
            Split::Train => set.training_windows(epoch),
            Split::Valid => set.valid_windows().collect(),
            Split::Test => Vec::new(),
        };
        windows.into_iter().filter_map(|(scene, window)| Some((*scenes.get(scene)?, window))).collect()
    }

    /// Writes the windows of a domain to a file: the validation windows, and the training windows of some epochs.
    ///
    /// The file is GeoJSON with a polygon for each window, in the coordinate reference system of the scenes, and the
    /// properties `scene`, `split` (`training` or `validation`), `epoch` (null for validation), `column`, `row`,
    /// `width`, and `height`, in pixels of the scene. RFC 7946 allows only WGS 84, so the CRS is named by the member
    /// `crs` of the older GeoJSON specification of 2008, which GDAL and QGIS read.
    ///
    /// ```
    /// use geolearn::{DatasetType, Domain, PrepareData};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let scene = "assets/scenes/bluemarble_asia.tif";
    /// # let options = PrepareData::new(folder.path(), DatasetType::CycleGan).scenes(Domain::A, [scene]).scenes(Domain::B, [scene]);
    /// let data = options.chip_size(64).prepare()?;
    /// let file = folder.path().join("windows.geojson");
    /// data.windows_geojson(Domain::A, 0..2, &file)?;
    /// assert!(std::fs::read_to_string(file)?.contains("urn:ogc:def:crs:EPSG::4326"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for chips, if a scene has no georeference, or if scenes of the domain have different
    /// coordinate reference systems; [`ErrorKind::Io`] if the file cannot be written.
    pub fn windows_geojson(&self, domain: Domain, epochs: Range<u64>, path: impl AsRef<Path>) -> Result<()> {
        let Some(set) = self.scene_set(domain) else {
            return Err(Error::new(ErrorKind::Usage, "the data have no windows to write")
                .at(self.path())
                .expected("scenes, by PrepareData::scenes")
                .found("chips"));
        };
        let scenes: Vec<_> = set.paths().zip(&set.ground).collect();
        let drawn = |(scene, window): (usize, SceneWindow), split, epoch| {
            let (scene, ground) = *scenes.get(scene)?;
            Some(PlacedWindow { scene, place: &ground.place, window, split, epoch })
        };
        let valid = set.valid_windows().filter_map(|window| drawn(window, "validation", None));
        let training = epochs.flat_map(|epoch| {
            set.training_windows(epoch).into_iter().filter_map(move |window| drawn(window, "training", Some(epoch)))
        });
        geojson::write(valid.chain(training), path.as_ref())
    }
}

impl SceneSet {
    /// Returns a line for the summary of the data.
    pub(in crate::dataset) fn describe(
        &self,
        f: &mut fmt::Formatter<'_>,
        domain: Domain,
        (width, height): (usize, usize),
        bands: &str,
    ) -> fmt::Result {
        let (count, train, valid) = (self.ground.len(), self.len(), self.valid_len());
        let scenes = if count == 1 { "scene" } else { "scenes" };
        write!(f, "  {domain}: {train} windows an epoch and {valid} validation windows of {count} {scenes}, ")?;
        write!(f, "{width} x {height} pixels, {bands}")?;
        let unit = if self.ground.iter().all(Ground::is_in_degrees) { "meters" } else { "units" };
        let short = |side: f64| (side * 1e4).round() / 1e4;
        match ground::range(&self.ground) {
            Some((low, high)) if low == high => writeln!(f, ", {} {unit} a pixel", short(low)),
            Some((low, high)) => writeln!(f, ", {} to {} {unit} a pixel", short(low), short(high)),
            None => writeln!(f),
        }
    }
}
