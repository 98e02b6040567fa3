//! Options for training directly from scenes.

use std::path::PathBuf;

use super::options::{SceneOptions, WindowOptions};
use crate::dataset::domain::Domain;
use crate::dataset::options::PrepareData;
use crate::dataset::sizes::MixedSizes;
use crate::error::{Error, ErrorKind, Result};

/// The default of Export Training Data.
const CHIP_SIZE: usize = 256;
/// Windows at the border of a scene or under a few clouds may be used; mostly empty ones teach nothing.
const MIN_VALID_SHARE: f64 = 0.9;
const LARGEST_CHIP: usize = 16_384;
/// Positions in an epoch are counted in 32 bits.
const MOST_WINDOWS: usize = u32::MAX as usize;

impl PrepareData {
    /// Uses scenes instead of a folder of chips as a domain's training data: images of any size, from which windows are
    /// drawn. Nothing is written to disk. Both domains need scenes; each path is a file or a folder of files.
    ///
    /// Each epoch draws different windows: every position of a [`chip_size`](Self::chip_size) window with enough [valid
    /// pixels](Self::min_valid_share) is equally likely, across all scenes of the domain, and an epoch covers the whole
    /// area. The windows depend only on the seed and the epoch, not on the number of workers. Augmentation works as it
    /// does for chips.
    ///
    /// In each domain, blocks that make up [`val_split_pct`](Self::val_split_pct) of the valid area are set aside.
    /// Validation windows are fixed and come from these blocks, and no training window shares a pixel with them.
    ///
    /// The folder passed to [`PrepareData::new`] is where models and cached results are saved; it need not exist. Paths
    /// of scenes are not relative to it.
    ///
    /// For [Pix2Pix](crate::DatasetType::Pix2Pix), the scenes of both domains must be on the same grid, the first scene
    /// of A matching the first of B and so on: same size, extent, and coordinate reference system. The same windows are
    /// taken from both.
    ///
    /// ```
    /// use geolearn::{DatasetType, Domain, PrepareData};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let data = PrepareData::new(folder.path(), DatasetType::CycleGan)
    ///     .scenes(Domain::A, ["assets/scenes/bluemarble_asia.tif"])
    ///     .scenes(Domain::B, ["assets/scenes/bluemarble_asia.tif"])
    ///     .bands(Domain::B, [1])
    ///     .chip_size(64)
    ///     .prepare()?;
    /// println!("{data}");
    /// // 512 x 320 pixels are 40 windows of 64 x 64; 4 of them validate.
    /// assert_eq!((data.len(Domain::A), data.valid_len(Domain::A)), (36, 4));
    /// assert_eq!(data.epoch(0)?.next().unwrap()?.a.size(), [1, 3, 64, 64]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn scenes(mut self, domain: Domain, paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        *self.scenes.files.get_mut(domain) = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the side in pixels of the square windows that are drawn from [scenes](Self::scenes), from 1 to 16384.
    /// Default: 256.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("runs/", DatasetType::CycleGan).chip_size(128);
    /// ```
    pub fn chip_size(mut self, side: impl Into<Option<usize>>) -> Self {
        self.scenes.chip_size = side.into();
        self
    }

    /// Sets the number of windows that an epoch draws in each domain from [scenes](Self::scenes). Default: as many as
    /// would cover the valid training area of the larger domain.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("runs/", DatasetType::CycleGan).windows_per_epoch(2000);
    /// ```
    pub fn windows_per_epoch(mut self, windows: impl Into<Option<usize>>) -> Self {
        self.scenes.windows_per_epoch = windows.into();
        self
    }

    /// Sets the ground resolution to which windows of [scenes](Self::scenes) are resampled: the side of a pixel in the
    /// units of the scenes' coordinate reference system, which are meters for most projected ones. Default: the scene's
    /// own pixels.
    ///
    /// A window then covers [`chip_size`](Self::chip_size) times this on the ground, and is resampled as in
    /// [`Raster::resize`](crate::Raster::resize).
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let ten_meters = PrepareData::new("runs/", DatasetType::CycleGan).resolution(10.0);
    /// ```
    pub fn resolution(mut self, units_per_pixel: impl Into<Option<f64>>) -> Self {
        self.scenes.resolution = units_per_pixel.into();
        self
    }

    /// Sets the smallest share of pixels with data in a window of [scenes](Self::scenes), from 0 to 1. Default: 0.9.
    ///
    /// No window has a smaller share. Some windows with slightly more are left out, since validity is mapped in cells.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("runs/", DatasetType::CycleGan).min_valid_share(1.0);
    /// ```
    pub fn min_valid_share(mut self, share: impl Into<Option<f64>>) -> Self {
        self.scenes.min_valid_share = share.into();
        self
    }

    /// Checks that options of scenes are in range and compatible with each other, and are not set without scenes.
    pub(in crate::dataset) fn check_scenes(&self) -> Result<()> {
        let SceneOptions { chip_size, windows_per_epoch, resolution, min_valid_share, .. } = &self.scenes;
        let out = |name: &str, expected: &str, found: String| {
            let error = Error::new(ErrorKind::Usage, format!("PrepareData::{name} is out of range"));
            Err(error.expected(expected).found(found))
        };
        if let Some(side) = chip_size.filter(|side| !(1..=LARGEST_CHIP).contains(side)) {
            return out("chip_size", "1 to 16384", side.to_string());
        }
        if let Some(windows) = windows_per_epoch.filter(|windows| !(1..=MOST_WINDOWS).contains(windows)) {
            return out("windows_per_epoch", "1 to 4294967295", windows.to_string());
        }
        if let Some(units) = resolution.filter(|units| !(units.is_finite() && *units > 0.0)) {
            return out("resolution", "a number above 0", units.to_string());
        }
        if let Some(share) = min_valid_share.filter(|share| !(0.0..=1.0).contains(share)) {
            return out("min_valid_share", "a share from 0 to 1", share.to_string());
        }
        if self.scenes.are_given() { self.check_with_scenes() } else { self.check_without_scenes() }
    }

    fn check_with_scenes(&self) -> Result<()> {
        let missing = Domain::BOTH.into_iter().find(|domain| self.scenes.files.get(*domain).is_empty());
        if let Some(domain) = missing {
            return Err(Error::new(ErrorKind::Usage, format!("domain {domain} has no scenes"))
                .expected("scenes for both domains, or for neither")
                .help(format!(
                    "Give them with PrepareData::scenes(Domain::{domain}, ...). To train with chips of one domain, give the \
                     chips as scenes: their folder, with chip_size as large as they are."
                )));
        }
        if self.resize_to.is_some() || self.mixed_sizes != MixedSizes::default() {
            return Err(Error::new(ErrorKind::Usage, "windows of scenes have one size")
                .found("PrepareData::resize_to or mixed_sizes")
                .help(
                    "PrepareData::chip_size is their size in pixels, and resolution the size of a pixel on the ground.",
                ));
        }
        Ok(())
    }

    fn check_without_scenes(&self) -> Result<()> {
        let SceneOptions { chip_size, windows_per_epoch, resolution, min_valid_share, .. } = &self.scenes;
        let given = [
            ("chip_size", chip_size.is_some()),
            ("windows_per_epoch", windows_per_epoch.is_some()),
            ("resolution", resolution.is_some()),
            ("min_valid_share", min_valid_share.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((name, _)) => Err(Error::new(ErrorKind::Usage, format!("PrepareData::{name} is of scenes"))
                .expected("scenes of both domains, by PrepareData::scenes")
                .found("a folder of chips")
                .help("Chips have a size of their own: PrepareData::crop_size cuts squares from them, resize_to resizes them.")),
        }
    }
}

impl SceneOptions {
    pub fn are_given(&self) -> bool {
        Domain::BOTH.into_iter().any(|domain| !self.files.get(domain).is_empty())
    }

    /// Returns the height and width of the chips that training sees.
    pub fn chip(&self) -> (usize, usize) {
        let side = self.chip_size.unwrap_or(CHIP_SIZE);
        (side, side)
    }

    pub fn window_options(&self, val_split_pct: f64) -> WindowOptions {
        WindowOptions { resolution: self.resolution, min_valid_share: self.least_valid(), val_split_pct }
    }

    pub fn least_valid(&self) -> f64 {
        self.min_valid_share.unwrap_or(MIN_VALID_SHARE)
    }
}
