//! The options of `prepare_data`.

use std::path::{Path, PathBuf};

use super::alpha_bands::AlphaBands;
use super::augment::Augment;
use super::bad_chips::BadChips;
use super::bands::{Asked, Band};
use super::batch_size::BatchSize;
use super::channels::Channels;
use super::dataset_type::DatasetType;
use super::domain::{Domain, PerDomain};
use super::half::Half;
use super::mixed_bands::MixedBands;
use super::normalization::Normalization;
use super::scenes::SceneOptions;
use super::sizes::MixedSizes;
use crate::error::{Error, ErrorKind, Result};
use crate::raster::Limits;

/// Returns the default augmentation; pairs change only in geometry.
fn default_augment(dataset_type: DatasetType) -> Augment {
    let augment = Augment::default();
    if dataset_type.is_paired() { augment.brightness(0.0).contrast(0.0) } else { augment }
}

/// Options for preparing a folder of chips, or [scenes](Self::scenes).
///
/// The folder holds, in any letter case, one of these: `A/images` and `B/images` (Export Training Data), `A` and `B`,
/// `train_a` and `train_b`, `trainA` and `trainB`, or `Images/train_a` and `Images/train_b`. Chips may be in subfolders.
/// [Pairs](DatasetType::Pix2Pix) may also be in `images` and `images2` or `labels` (Export Training Data, Export Tiles), or in
/// `train`, as files that hold both chips side by side; partners have the same name except for the ending.
///
/// `valid_a` and `valid_b` (or `val_a`, `validA`, …) beside them are a fixed validation set. Without them, `test_a` and
/// `test_b` are used for validation; without these, both domains are split.
///
/// | Name | Default | Purpose | Range |
/// |---|---|---|---|
/// | `batch_size` | 1 | chips of each domain in a batch | 1 to 65536, or [`BatchSize::Auto`] |
/// | `val_split_pct` | 0.1 | share of each domain kept for validation, if there is no fixed set | 0 to below 1 |
/// | `seed` | 42 | seed of the split, the order, and the augmentation | any |
/// | `resize_to` | none | side in pixels to which every chip is resized | 1 to 16384 |
/// | `mixed_sizes` | [`MixedSizes::Fail`] | what to do with chips of different sizes | |
/// | `crop_size` | none | side in pixels of a random square cut from each training chip | 1 to the chip's sides |
/// | `bands` | all | which bands of a domain's files are used, in which order | numbers from 1, or names, which are looked up in each file |
/// | `mixed_bands` | [`MixedBands::Fail`] | what to do with chips that differ in their number of bands | |
/// | `alpha_bands` | [`AlphaBands::Auto`] | whether alpha is a mask or a band | |
/// | `rgb_bands` | those named red, green, and blue, or the first three | which bands pictures show | of the bands used |
/// | `normalization` | [`Normalization::MinMax`] | how values are scaled to [-1, 1] | |
/// | `channels` | [`Channels::Shared`]; [`Channels::Own`] for pairs | channels if the domains differ in their number of bands | |
/// | `augment` | [`Augment::default()`], for pairs without brightness and contrast | random changes of training chips | see there |
/// | `bad_chips` | [`BadChips::Fail`] | what to do with a chip that cannot be read, differs from the others or has no partner | |
/// | `limits` | [`Limits::default()`] | the largest chips that are read | |
/// | `cache` | on | whether statistics of 8 MiB of chips or more are kept for later runs | |
/// | `progress` | on | whether a terminal shows a progress bar for 2,000 chips or more | |
/// | `left_half` | [`Domain::A`] | the domain of the left half, if files hold both chips of a pair | |
/// | `workers` | cores, at most 4 | threads that decode ahead; 0 decodes in the training loop | 0 to 256 |
/// | `prefetch` | 2 | batches that each worker keeps ready | 1 to 1024 |
/// | `working_dir` | the folder itself | where models are saved when only a name is given | |
/// | `scenes` | none | draw windows from scenes instead of reading chips from the folder | files and folders, for both domains |
/// | `chip_size` | 256 | scenes only: side of the windows in pixels | 1 to 16384 |
/// | `windows_per_epoch` | enough to cover the valid area | scenes only: windows of each domain in an epoch | 1 and above |
/// | `resolution` | the scene's own | scenes only: ground size of a pixel to which windows are resampled | above 0, in units of the CRS |
/// | `min_valid_share` | 0.9 | scenes only: smallest share of pixels with data in a window | 0 to 1 |
///
/// ```
/// use geolearn::dataset::Augment;
/// use geolearn::{DatasetType, PrepareData};
///
/// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan)
///     .batch_size(4)
///     .val_split_pct(0.2)
///     .seed(7)
///     .augment(Augment::default().zoom(1.2))
///     .prepare()?;
/// assert_eq!(data.batch_size(), 4);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct PrepareData {
    pub(super) dataset_type: DatasetType,
    pub(super) left_half: Domain,
    pub(super) path: PathBuf,
    pub(super) batch_size: BatchSize,
    pub(super) val_split_pct: f64,
    pub(super) seed: u64,
    pub(super) resize_to: Option<usize>,
    pub(super) mixed_sizes: MixedSizes,
    pub(super) crop_size: Option<usize>,
    pub(super) bands: PerDomain<Vec<Band>>,
    pub(super) mixed_bands: MixedBands,
    pub(super) alpha_bands: PerDomain<AlphaBands>,
    pub(super) rgb_bands: PerDomain<Option<[Band; 3]>>,
    pub(super) normalization: Normalization,
    /// `None` means the default for the dataset type.
    pub(super) channels: Option<Channels>,
    pub(super) limits: Limits,
    pub(super) cache: bool,
    pub(super) progress: bool,
    pub(super) augment: Augment,
    pub(super) bad_chips: BadChips,
    pub(super) workers: Option<usize>,
    pub(super) prefetch: usize,
    pub(super) working_dir: Option<PathBuf>,
    pub(super) scenes: SceneOptions,
}

impl PrepareData {
    /// Creates default options for the chips in the folder `path`.
    pub fn new(path: impl AsRef<Path>, dataset_type: DatasetType) -> Self {
        Self {
            dataset_type,
            left_half: Domain::A,
            path: path.as_ref().to_path_buf(),
            batch_size: BatchSize::Fixed(1),
            val_split_pct: 0.1,
            seed: 42,
            resize_to: None,
            mixed_sizes: MixedSizes::default(),
            crop_size: None,
            bands: PerDomain::default(),
            mixed_bands: MixedBands::default(),
            alpha_bands: PerDomain::default(),
            rgb_bands: PerDomain::default(),
            normalization: Normalization::default(),
            channels: None,
            limits: Limits::default(),
            cache: true,
            progress: true,
            augment: default_augment(dataset_type),
            bad_chips: BadChips::default(),
            workers: None,
            prefetch: 2,
            working_dir: None,
            scenes: SceneOptions::default(),
        }
    }

    /// Sets the number of chips of each domain in a batch. Default: 1, as in the CycleGAN paper. With [`BatchSize::Auto`] the
    /// model measures which size is fastest.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).batch_size(8).prepare()?;
    /// assert_eq!(data.epoch(0)?.next().unwrap()?.size(), 8);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn batch_size(mut self, chips: impl Into<BatchSize>) -> Self {
        self.batch_size = chips.into();
        self
    }

    /// Sets the share of each domain that is set aside for validation, from 0 (none) to below 1. Default: 0.1.
    ///
    /// Has no effect if the folder contains a validation set.
    ///
    /// ```
    /// # use geolearn::{DatasetType, Domain, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).val_split_pct(0.0).prepare()?;
    /// assert_eq!(data.valid_len(Domain::A), 0);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn val_split_pct(mut self, share: f64) -> Self {
        self.val_split_pct = share;
        self
    }

    /// Sets the seed of the split, the order, and the augmentation. Default: 42. The same seed gives the same batches
    /// on any machine.
    ///
    /// ```
    /// # use geolearn::{DatasetType, Domain, PrepareData};
    /// let data = |seed| PrepareData::new("assets/bluemarble", DatasetType::CycleGan).seed(seed).prepare();
    /// assert_eq!(data(1)?.valid_files(Domain::A), data(1)?.valid_files(Domain::A));
    /// assert_ne!(data(1)?.valid_files(Domain::A), data(2)?.valid_files(Domain::A));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Resizes every chip to a square of this side in pixels (see [`Raster::resize`](crate::Raster::resize)). Default: chips
    /// keep their size.
    ///
    /// ```
    /// # use geolearn::{DatasetType, Domain, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).resize_to(32).prepare()?;
    /// assert_eq!(data.chip_size(Domain::A), (32, 32));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn resize_to(mut self, side: impl Into<Option<usize>>) -> Self {
        self.resize_to = side.into();
        self
    }

    /// Chooses what to do with chips that differ in size from the others of their domain. Default: [`MixedSizes::Fail`].
    ///
    /// ```
    /// # use geolearn::dataset::MixedSizes;
    /// # use geolearn::{DatasetType, Domain, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).mixed_sizes(MixedSizes::Crop).prepare()?;
    /// assert_eq!(data.chip_size(Domain::A), (64, 64));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn mixed_sizes(mut self, choice: MixedSizes) -> Self {
        self.mixed_sizes = choice;
        self
    }

    /// Crops a random square of this side in pixels from each training chip, before [`Augment::crop`] does. Default:
    /// training uses whole chips.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).crop_size(48).prepare()?;
    /// assert_eq!(data.epoch(0)?.next().unwrap()?.a.size(), [1, 3, 48, 48]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn crop_size(mut self, side: impl Into<Option<usize>>) -> Self {
        self.crop_size = side.into();
        self
    }

    /// Chooses which bands of a domain's files are used, and in which order: numbers from 1, or the names that the files give
    /// their bands. Default: all bands.
    ///
    /// A name is looked up in each file, so files may differ in the order and number of their bands. A file without one of
    /// the bands is a [bad chip](Self::bad_chips). If bands are not chosen by name, and files have the same names in different
    /// orders, `prepare` fails, or leaves out the rarer order.
    ///
    /// ```
    /// # use geolearn::{DatasetType, Domain, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).bands(Domain::B, [3]).prepare()?;
    /// assert_eq!((data.bands(Domain::A), data.bands(Domain::B)), (3, 1));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn bands<B: Into<Band>>(mut self, domain: Domain, bands: impl IntoIterator<Item = B>) -> Self {
        *self.bands.get_mut(domain) = bands.into_iter().map(B::into).collect();
        self
    }

    /// Chooses what to do with chips that differ in their number of bands from the others of their domain. Default:
    /// [`MixedBands::Fail`].
    ///
    /// ```
    /// # use geolearn::dataset::MixedBands;
    /// # use geolearn::{DatasetType, Domain, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).mixed_bands(MixedBands::Rgb).prepare()?;
    /// assert_eq!(data.bands(Domain::A), 3);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn mixed_bands(mut self, choice: MixedBands) -> Self {
        self.mixed_bands = choice;
        self
    }

    /// Chooses how the last band of a domain's files is used if the files call it alpha. Default: [`AlphaBands::Auto`],
    /// which treats it as a mask unless the values show that it is another band, which GDAL may also call alpha.
    ///
    /// ```
    /// # use geolearn::dataset::AlphaBands;
    /// # use geolearn::{DatasetType, Domain, PrepareData};
    /// let options = PrepareData::new("assets/bluemarble", DatasetType::CycleGan);
    /// assert_eq!(options.alpha_bands(Domain::B, AlphaBands::Mask).prepare()?.bands(Domain::B), 3);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn alpha_bands(mut self, domain: Domain, choice: AlphaBands) -> Self {
        *self.alpha_bands.get_mut(domain) = choice;
        self
    }

    /// Returns the bands to read from a domain's chips.
    pub(super) fn asked(&self, domain: Domain, half: Option<Half>) -> Asked {
        let alpha = *self.alpha_bands.get(domain);
        Asked { bands: self.bands.get(domain).clone(), mixed: self.mixed_bands, alpha, half }
    }

    /// Chooses which bands of a domain's files are red, green, and blue in pictures. Default: those that the files call
    /// red, green, and blue, or else the first three that are used; a single band is shown in gray.
    ///
    /// ```
    /// # use geolearn::{DatasetType, Domain, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).rgb_bands(Domain::A, [3, 2, 1]).prepare()?;
    /// data.show_batch(1)?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn rgb_bands<B: Into<Band>>(mut self, domain: Domain, bands: [B; 3]) -> Self {
        *self.rgb_bands.get_mut(domain) = Some(bands.map(B::into));
        self
    }

    /// Chooses how values are scaled to [-1, 1]. Default: [`Normalization::MinMax`].
    ///
    /// ```
    /// # use geolearn::dataset::Normalization;
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("chips/", DatasetType::CycleGan)
    ///     .normalization(Normalization::Percentile { low: 2.0, high: 98.0 });
    /// ```
    pub fn normalization(mut self, choice: Normalization) -> Self {
        self.normalization = choice;
        self
    }

    /// Chooses the channels of the networks if the domains differ in their number of bands. Default: [`Channels::Shared`].
    ///
    /// ```
    /// # use geolearn::dataset::Channels;
    /// # use geolearn::{DatasetType, Domain, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan)
    ///     .bands(Domain::B, [1])
    ///     .channels(Channels::Own)
    ///     .prepare()?;
    /// assert_eq!((data.channels(Domain::A), data.channels(Domain::B)), (3, 1));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn channels(mut self, choice: Channels) -> Self {
        self.channels = Some(choice);
        self
    }

    /// Sets the largest chips that are read. Default: [`Limits::default()`].
    ///
    /// ```
    /// # use geolearn::raster::Limits;
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("chips/", DatasetType::CycleGan).limits(Limits::default().max_pixels(1 << 20));
    /// ```
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets whether the statistics of a folder with 8 MiB of chips or more are kept for later runs: in `.geolearn`
    /// within the folder or, if it is read-only, in the user's cache. They are reused as long as the names, sizes, and
    /// modification times of all chips, and the options, are the same. Default: on.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("chips/", DatasetType::CycleGan).cache(false);
    /// ```
    pub fn cache(mut self, on: bool) -> Self {
        self.cache = on;
        self
    }

    /// Sets whether standard error shows a progress bar for 2,000 chips or more, if it is a terminal. Default: on.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("chips/", DatasetType::CycleGan).progress(false);
    /// ```
    pub fn progress(mut self, on: bool) -> Self {
        self.progress = on;
        self
    }

    /// Sets the random changes of training chips. Default: [`Augment::default()`], for pairs without brightness and contrast.
    ///
    /// ```
    /// # use geolearn::dataset::Augment;
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).augment(Augment::none());
    /// ```
    pub fn augment(mut self, augment: Augment) -> Self {
        self.augment = augment;
        self
    }

    /// Chooses what to do with a chip that cannot be read, differs from the others or has no partner. Default:
    /// [`BadChips::Fail`].
    ///
    /// ```
    /// # use geolearn::dataset::BadChips;
    /// # use geolearn::{DatasetType, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).bad_chips(BadChips::Skip).prepare()?;
    /// assert!(data.skipped().is_empty());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn bad_chips(mut self, bad_chips: BadChips) -> Self {
        self.bad_chips = bad_chips;
        self
    }

    /// Chooses the domain of the left half, if files in the folder `train` hold both chips of a pair side by side. Default:
    /// [`Domain::A`], from which Pix2Pix translates, as in the research code's direction `AtoB`. [`Domain::B`] is its `BtoA`.
    ///
    /// ```
    /// use geolearn::{DatasetType, Domain, PrepareData, Raster};
    /// # use geolearn::ndarray::Array3;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # std::fs::create_dir(folder.path().join("train"))?;
    /// // Both chips have 8 x 8 pixels.
    /// let both = Raster::new(Array3::from_shape_fn((3, 8, 16), |(_, _, column)| column as u8))?;
    /// both.save(folder.path().join("train/1.png"))?;
    /// let options = PrepareData::new(folder.path(), DatasetType::Pix2Pix);
    /// let data = options.left_half(Domain::B).prepare()?;
    /// assert_eq!((data.chip_size(Domain::A), data.statistics(Domain::A).bands()[0].min), ((8, 8), 8.0));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn left_half(mut self, domain: Domain) -> Self {
        self.left_half = domain;
        self
    }

    /// Sets the number of threads that decode ahead of the training loop; 0 decodes in the loop itself. Default: the number of
    /// cores, at most 4. The batches are the same with any number.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).workers(0);
    /// ```
    pub fn workers(mut self, threads: usize) -> Self {
        self.workers = Some(threads);
        self
    }

    /// Sets how many batches each worker keeps ready. Default: 2. More batches help with slow disks but take memory.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).prefetch(8);
    /// ```
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.prefetch = batches;
        self
    }

    /// Sets the folder where models are saved if only a name is given. Default: the folder of the chips.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let options = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).working_dir("runs/today");
    /// ```
    pub fn working_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.working_dir = Some(folder.into());
        self
    }

    /// Checks that options are in range.
    pub(super) fn check(&self) -> Result<()> {
        let out = |name: &str, expected: &str, found: String| {
            Err(Error::new(ErrorKind::Usage, format!("PrepareData::{name} is out of range"))
                .expected(expected)
                .found(found))
        };
        self.batch_size.check()?;
        if !(0.0..1.0).contains(&self.val_split_pct) {
            return out("val_split_pct", "a share from 0 to below 1, such as 0.1", self.val_split_pct.to_string());
        }
        if let Some(side) = self.resize_to.filter(|side| !(1..=16384).contains(side)) {
            return out("resize_to", "1 to 16384", side.to_string());
        }
        if let Some(workers) = self.workers.filter(|&workers| workers > 256) {
            return out("workers", "0 to 256", workers.to_string());
        }
        if !(1..=1024).contains(&self.prefetch) {
            return out("prefetch", "1 to 1024", self.prefetch.to_string());
        }
        if self.crop_size == Some(0) {
            return out("crop_size", "at least 1", "0".into());
        }
        self.normalization.check()?;
        let Self { augment, dataset_type, .. } = self;
        augment.check(dataset_type.is_paired())
    }
}
