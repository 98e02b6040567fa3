//! Prepares a folder of chips for training.

use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::bands::Asked;
use super::batch::ChipReader;
use super::bunch::{DataBunch, DomainData, Shared};
use super::channels::Channels;
use super::colors;
use super::dataset_type::DatasetType;
use super::domain::{Domain, PerDomain};
use super::export;
use super::half::Half;
use super::layout::Layout;
use super::options::PrepareData;
use super::scenes::{self, SceneSet};
use super::split::validation_places;
use super::survey::Survey;
use super::surveys;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::{self, HostMemory};
use crate::random::Seed;
use crate::raster::BandScale;

/// Prepares a folder of chips with the default options. See [`PrepareData`] for the options and the layout of the
/// folder, and [`DatasetType`] for the types of datasets.
///
/// ```
/// use geolearn::{DatasetType, Domain, prepare_data};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// assert!(data.len(Domain::A) > data.valid_len(Domain::A));
/// # Ok::<(), geolearn::Error>(())
/// ```
///
/// # Errors
/// See [`PrepareData::prepare`].
pub fn prepare_data(path: impl AsRef<Path>, dataset_type: DatasetType) -> Result<DataBunch> {
    PrepareData::new(path, dataset_type).prepare()
}

impl PrepareData {
    /// Prepares the data: recognizes the layout of the folder, reads the header of every chip, computes the statistics
    /// of both domains, and splits the chips. Statistics come from `esri_model_definition.emd` next to the chips if
    /// Export Training Data wrote it; otherwise every chip is decoded once. For [scenes](Self::scenes), all pixels are
    /// read.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] if an option is out of range; [`ErrorKind::Io`] if the folder cannot be read;
    /// [`ErrorKind::Layout`] if it has no known layout, more than one, no chips, or chips that differ in size, bands,
    /// or data type, or for pairs, chips without a partner or partners that differ in size or place;
    /// [`ErrorKind::Format`], [`ErrorKind::Unsupported`] or [`ErrorKind::Limits`] if a chip cannot be read.
    ///
    /// ```
    /// # use geolearn::{DatasetType, PrepareData};
    /// let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).batch_size(2).prepare()?;
    /// assert_eq!(data.batch_size(), 2);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn prepare(mut self) -> Result<DataBunch> {
        // Must run before any decoding thread starts: some settings can be changed only while there are none.
        ffi::allowed();
        self.check()?;
        self.check_scenes()?;
        if self.crop_size.is_some() {
            self.augment = self.augment.crop(self.crop_size);
        }
        prepare(self)
    }
}

fn prepare(options: PrepareData) -> Result<DataBunch> {
    let started = Instant::now();
    let Found { surveys, images, skipped, remarks } = match options.scenes.are_given() {
        true => of_scenes(&options)?,
        false => of_chips(&options)?,
    };
    let [a, b] = [surveys.a.shape.bands, surveys.b.shape.bands];
    // A model of pairs translates only one way, so both domains need not have the same number of channels.
    let usual = if options.dataset_type.is_paired() { Channels::Own } else { Channels::Shared };
    let choice = options.channels.unwrap_or(usual);
    let channels = PerDomain { a: choice.of(a, b), b: choice.of(b, a) };
    let (surveys, images) = ((surveys.a, surveys.b), (images.a, images.b));
    let domains = PerDomain {
        a: DomainData::new(Domain::A, surveys.0, images.0, channels.a, &options)?,
        b: DomainData::new(Domain::B, surveys.1, images.1, channels.b, &options)?,
    };
    let data = DataBunch {
        shared: Arc::new(Shared {
            working_dir: options.working_dir.unwrap_or_else(|| options.path.clone()),
            path: options.path,
            dataset_type: options.dataset_type,
            seed: Seed(options.seed),
            batch_size: options.batch_size,
            workers: options.workers.unwrap_or_else(default_workers),
            prefetch: options.prefetch,
            augment: options.augment,
            domains,
            window_options: options.scenes.are_given().then(|| options.scenes.window_options(options.val_split_pct)),
            skipped,
            remarks,
            contents: Arc::default(),
        }),
    };
    tell(&data, started);
    Ok(data)
}

/// The findings about chips or scenes.
struct Found {
    surveys: PerDomain<Survey>,
    images: PerDomain<Images>,
    skipped: Vec<(PathBuf, String)>,
    remarks: Vec<String>,
}

/// Where a domain's images are.
struct Images {
    /// Training, validation, and test chips; empty for scenes.
    chips: [Vec<PathBuf>; 3],
    half: Option<Half>,
    scenes: Option<Arc<SceneSet>>,
}

fn of_chips(options: &PrepareData) -> Result<Found> {
    export::check_complete(&options.path)?;
    let mut layout = Layout::find(options)?;
    let (surveys, skipped) = surveys::take(options, &mut layout)?;
    split(&mut layout, options)?;
    let images = PerDomain::from_fn(|domain| Images {
        chips: layout.take(domain),
        half: *layout.halves.get(domain),
        scenes: None,
    });
    Ok(Found { surveys, images, skipped, remarks: Vec::new() })
}

fn of_scenes(options: &PrepareData) -> Result<Found> {
    let scenes::Prepared { surveys, sets, skipped, remarks } = scenes::prepare(options)?;
    let images = PerDomain::from_fn(|domain| Images {
        chips: Default::default(),
        half: None,
        scenes: Some(sets.get(domain).clone()),
    });
    Ok(Found { surveys, images, skipped, remarks })
}

fn tell(data: &DataBunch, started: Instant) {
    tracing::info!(
        path = %data.path().display(),
        chips_a = data.len(Domain::A),
        chips_b = data.len(Domain::B),
        valid_a = data.valid_len(Domain::A),
        valid_b = data.valid_len(Domain::B),
        skipped = data.skipped().len(),
        batch_size = ?data.batch_size_option(),
        seconds = started.elapsed().as_secs_f64(),
        "data prepared"
    );
}

/// Moves training chips to validation if the folder has no validation set and both domains have enough chips.
fn split(layout: &mut Layout, options: &PrepareData) -> Result<()> {
    for domain in Domain::BOTH {
        if layout.train.get(domain).is_empty() {
            return Err(Error::new(ErrorKind::Layout, format!("no training chip of domain {domain} can be used"))
                .at(&options.path));
        }
    }
    if !layout.valid.a.is_empty() || !layout.valid.b.is_empty() || options.val_split_pct == 0.0 {
        return Ok(());
    }
    if split_as_exported(layout, options)? {
        return Ok(());
    }
    if layout.train.a.len() < 2 || layout.train.b.len() < 2 {
        tracing::warn!(path = %options.path.display(), "a domain with one chip cannot be split; there is no validation");
        return Ok(());
    }
    let seed = Seed(options.seed);
    for (domain, train, valid) in
        [(Domain::A, &mut layout.train.a, &mut layout.valid.a), (Domain::B, &mut layout.train.b, &mut layout.valid.b)]
    {
        let leader = options.dataset_type.leader(domain);
        let mut random = seed.stream(&format!("split/{leader}"), 0);
        let places = validation_places(train.len(), options.val_split_pct, &mut random);
        let (mut next, mut place) = (places.into_iter().peekable(), 0..);
        let validates = |_: &mut PathBuf| next.next_if_eq(&place.next().unwrap_or(usize::MAX)).is_some();
        valid.extend(train.extract_if(.., validates));
    }
    Ok(())
}

/// Moves the chips that an export set aside from training to validation; returns false if there was no such export.
fn split_as_exported(layout: &mut Layout, options: &PrepareData) -> Result<bool> {
    let Some(validating) = export::validation_chips(&options.path)? else { return Ok(false) };
    let mut train = PerDomain { a: mem::take(&mut layout.train.a), b: mem::take(&mut layout.train.b) };
    // A chip is in the same split as its partner, whatever the order of B.
    let of_a: Vec<bool> = train.a.iter().map(|file| validating.contains(file)).collect();
    let of_b: Vec<bool> = match options.dataset_type.is_paired() {
        true => of_a.clone(),
        false => train.b.iter().map(|file| validating.contains(file)).collect(),
    };
    for (domain, validates) in [(Domain::A, of_a), (Domain::B, of_b)] {
        for (file, validates) in train.get_mut(domain).drain(..).zip(validates) {
            let part = if validates { &mut layout.valid } else { &mut layout.train };
            part.get_mut(domain).push(file);
        }
    }
    for domain in Domain::BOTH {
        if layout.train.get(domain).is_empty() || layout.valid.get(domain).is_empty() {
            tracing::warn!(
                path = %options.path.display(), "domain {domain} lacks training or validation chips of those that were exported"
            );
        }
    }
    Ok(true)
}

/// A few keep well ahead of training, and each takes a CPU core away from libtorch.
const MOST_WORKERS: usize = 4;

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS)
}

impl DomainData {
    fn new(domain: Domain, survey: Survey, images: Images, channels: usize, options: &PrepareData) -> Result<Self> {
        let Survey { shape, selection, band_names, nodata, mut band_scales, statistics, definition, .. } = survey;
        band_scales.resize(shape.bands, BandScale::default());
        let asked = Asked { alpha: selection.alpha, ..options.asked(domain, images.half) };
        let bands = &selection.bands;
        let colors = colors::of(options.rgb_bands.get(domain).as_ref(), bands, &band_names, &statistics, shape.dtype)
            .map_err(|e| e.at(&options.path))?;
        let normalizer = options.normalization.normalizer(&statistics, channels, shape.dtype, nodata)?;
        let band_names = bands.iter().map(|&band| band_names.get(band).cloned().flatten()).collect();
        let (resize_to, mixed_sizes, limits) = (options.resize_to, options.mixed_sizes, options.limits);
        let memory = HostMemory::default();
        let reader = ChipReader { shape, asked, resize_to, mixed_sizes, limits, normalizer, memory };
        let ([train, valid, test], scenes) = (images.chips.map(Arc::from), images.scenes);
        Ok(Self {
            train,
            valid,
            test,
            scenes,
            statistics,
            definition,
            band_names,
            band_scales,
            selection,
            colors,
            reader,
        })
    }
}
