//! Prepared data: what a model trains on.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tch::Tensor;

use super::augment::Augment;
use super::batch::{Batch, ChipReader};
use super::batch_size::BatchSize;
use super::domain::{Domain, PerDomain};
use super::layout::Layout;
use super::loader::Loader;
use super::normalise::Normaliser;
use super::options::PrepareData;
use super::order;
use super::split::validation_places;
use super::statistics::Statistics;
use super::survey::{Shape, Survey};
use crate::error::{Error, ErrorKind, Result};
use crate::random::Seed;
use crate::raster::Raster;

/// Which chips of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Those that train.
    Train,
    /// Those that validate.
    Valid,
    /// Those of a test folder beside a validation folder.
    Test,
}

/// Prepared chips of two domains, as [`prepare_data`](crate::prepare_data) gives them.
///
/// A clone shares everything with the original and costs nothing. Chips are read from disk when they are needed.
///
/// ```
/// use geolearn::{prepare_data, DatasetType, Domain};
///
/// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
/// println!("{data}");
/// for batch in data.epoch(0)?.take(2) {
///     let batch = batch?;
///     assert_eq!(batch.a.size(), [1, 3, 64, 64]);
/// }
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Clone)]
pub struct DataBunch {
    shared: Arc<Shared>,
}

#[derive(Clone)]
struct Shared {
    path: PathBuf,
    working_dir: PathBuf,
    seed: Seed,
    batch_size: BatchSize,
    workers: usize,
    prefetch: usize,
    augment: Augment,
    domains: PerDomain<DomainData>,
    skipped: Vec<(PathBuf, String)>,
}

/// What is known of one domain.
#[derive(Clone)]
struct DomainData {
    train: Vec<PathBuf>,
    valid: Vec<PathBuf>,
    test: Vec<PathBuf>,
    statistics: Statistics,
    reader: ChipReader,
}

impl DataBunch {
    pub(super) fn prepare(options: PrepareData) -> Result<Self> {
        let mut layout = Layout::find(&options.path)?;
        let surveys = PerDomain::try_from_fn(|domain| survey(&options, &layout, domain))?;
        let skipped: Vec<_> = Domain::BOTH.iter().flat_map(|&domain| surveys.get(domain).skipped.clone()).collect();
        leave_out(&mut layout, &skipped);
        split(&mut layout, &options)?;
        let channels = surveys.a.shape.bands.max(surveys.b.shape.bands);
        let PerDomain { a, b } = surveys;
        let Layout { train, valid, test } = layout;
        let domains = PerDomain {
            a: DomainData::new(a, [train.a, valid.a, test.a], channels, &options)?,
            b: DomainData::new(b, [train.b, valid.b, test.b], channels, &options)?,
        };
        Ok(Self {
            shared: Arc::new(Shared {
                working_dir: options.working_dir.unwrap_or_else(|| options.path.clone()),
                path: options.path,
                seed: Seed(options.seed),
                batch_size: options.batch_size,
                workers: options.workers.unwrap_or_else(default_workers),
                prefetch: options.prefetch,
                augment: options.augment,
                domains,
                skipped,
            }),
        })
    }

    fn domain(&self, domain: Domain) -> &DomainData {
        self.shared.domains.get(domain)
    }

    /// The folder that was prepared.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Where models are saved when only a name is given.
    pub fn working_dir(&self) -> &Path {
        &self.shared.working_dir
    }

    /// The root of split, order and augmentation.
    pub fn seed(&self) -> u64 {
        self.shared.seed.0
    }

    /// Chips of each domain in a batch; 1 where that is [`BatchSize::Auto`] and no model has measured it yet.
    pub fn batch_size(&self) -> usize {
        self.shared.batch_size.or_one()
    }

    pub(crate) fn batch_size_option(&self) -> BatchSize {
        self.shared.batch_size
    }

    /// The same chips in batches of another size.
    ///
    /// ```
    /// use geolearn::{DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?.with_batch_size(4)?;
    /// assert_eq!(data.epoch(0)?.next().unwrap()?.size(), 4);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for 0.
    pub fn with_batch_size(&self, chips: usize) -> Result<Self> {
        if chips == 0 {
            return Err(Error::new(ErrorKind::Usage, "batch size is out of range").expected("at least 1").found(0));
        }
        let mut shared = (*self.shared).clone();
        shared.batch_size = BatchSize::Fixed(chips);
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What is varied at random in training chips.
    pub fn augment(&self) -> &Augment {
        &self.shared.augment
    }

    /// Number of training chips of a domain.
    pub fn len(&self, domain: Domain) -> usize {
        self.domain(domain).train.len()
    }

    /// Number of validation chips of a domain.
    pub fn valid_len(&self, domain: Domain) -> usize {
        self.domain(domain).valid.len()
    }

    /// The chips of a part of a domain, sorted by folder and name.
    pub fn files(&self, domain: Domain, split: Split) -> &[PathBuf] {
        let data = self.domain(domain);
        match split {
            Split::Train => &data.train,
            Split::Valid => &data.valid,
            Split::Test => &data.test,
        }
    }

    /// The training chips of a domain, sorted by folder and name.
    pub fn train_files(&self, domain: Domain) -> &[PathBuf] {
        self.files(domain, Split::Train)
    }

    /// The validation chips of a domain, sorted by folder and name.
    pub fn valid_files(&self, domain: Domain) -> &[PathBuf] {
        self.files(domain, Split::Valid)
    }

    /// The chips of a test folder beside a validation folder. They are not looked at by `prepare_data`.
    pub fn test_files(&self, domain: Domain) -> &[PathBuf] {
        self.files(domain, Split::Test)
    }

    /// Chips that were left out, each with the reason; see [`BadChips::Skip`](crate::BadChips::Skip).
    pub fn skipped(&self) -> &[(PathBuf, String)] {
        &self.shared.skipped
    }

    /// Number of bands of a domain's chips.
    pub fn bands(&self, domain: Domain) -> usize {
        self.domain(domain).reader.shape.bands
    }

    /// Number of channels of the tensors, C: the larger band count of the two domains.
    pub fn channels(&self) -> usize {
        self.domain(Domain::A).reader.normaliser.channels()
    }

    /// Height and width of a domain's chips in pixels, after `resize_to` and before a random crop.
    pub fn chip_size(&self, domain: Domain) -> (usize, usize) {
        let shape = self.domain(domain).reader.shape;
        (shape.height, shape.width)
    }

    /// What the values of a domain are like.
    pub fn statistics(&self, domain: Domain) -> &Statistics {
        &self.domain(domain).statistics
    }

    /// The scaling of a domain, and its inverse.
    pub fn normaliser(&self, domain: Domain) -> &Normaliser {
        &self.domain(domain).reader.normaliser
    }

    /// Number of batches in an epoch; the last may be smaller than the others.
    pub fn batches_per_epoch(&self) -> usize {
        self.draws().div_ceil(self.batch_size())
    }

    /// Number of validation batches.
    pub fn valid_batches(&self) -> usize {
        self.valid_pairs().div_ceil(self.batch_size())
    }

    /// The most batches that are in memory at once: one that is used, and those that the workers hold ready or make.
    pub(crate) fn batches_ahead(&self) -> usize {
        1 + self.shared.workers.min(self.batches_per_epoch()).saturating_mul(self.shared.prefetch + 1)
    }

    /// An epoch draws as many chips of each domain as the larger one has.
    pub(crate) fn draws(&self) -> usize {
        self.len(Domain::A).max(self.len(Domain::B))
    }

    fn valid_pairs(&self) -> usize {
        let [a, b] = Domain::BOTH.map(|domain| self.valid_len(domain));
        if a == 0 || b == 0 { 0 } else { a.max(b) }
    }

    /// The training batches of an epoch (the first is 0), in the order that the seed fixes.
    ///
    /// Each domain goes through all of its chips in random order before one comes again, also from one epoch to the
    /// next.
    ///
    /// # Shapes
    /// See [`Batch`].
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when a thread cannot be started. A chip that cannot be read is an error of its batch.
    pub fn epoch(&self, epoch: u64) -> Result<Loader> {
        self.epoch_from(epoch, 0)
    }

    /// The same without its first `skip` batches, for a training that goes on within an epoch.
    ///
    /// ```
    /// use geolearn::{DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let third = data.epoch(0)?.nth(2).unwrap()?;
    /// assert_eq!(data.epoch_from(0, 2)?.next().unwrap()?.a, third.a);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`DataBunch::epoch`].
    pub fn epoch_from(&self, epoch: u64, skip: usize) -> Result<Loader> {
        let draws = self.draws();
        let order = PerDomain::from_fn(|domain| order::epoch(self.shared.seed, domain, epoch, draws, self.len(domain)));
        let data = self.clone();
        let make = move |batch| {
            data.batch(batch + skip, draws, |domain, places| data.training_tensor(domain, epoch, &order, places))
        };
        let batches = self.batches_per_epoch().saturating_sub(skip);
        Loader::start(batches, self.shared.workers, self.shared.prefetch, make)
    }

    /// The validation batches: chips as they are, in pairs that never change (chip i of the larger domain with chip
    /// i modulo n of the other). There are none when a domain has no validation chips.
    ///
    /// # Shapes
    /// See [`Batch`].
    ///
    /// # Errors
    /// As [`DataBunch::epoch`].
    pub fn validation(&self) -> Result<Loader> {
        let data = self.clone();
        let pairs = self.valid_pairs();
        let make = move |batch| {
            data.batch(batch, pairs, |domain, places| {
                let valid = &data.domain(domain).valid;
                data.domain(domain).reader.tensor(places.map(|place| &valid[place % valid.len()]), None)
            })
        };
        Loader::start(self.valid_batches(), self.shared.workers, self.shared.prefetch, make)
    }

    /// Chips as they are, normalised, for pictures and measures.
    ///
    /// # Shapes
    /// (N, C, H, W), f32 on the CPU, in [-1, 1]; N is the number of indices.
    ///
    /// ```
    /// use geolearn::{prepare_data, DatasetType, Domain, Split};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let chips = data.chips(Domain::B, Split::Valid, &[0, 3])?;
    /// assert_eq!(chips.size(), [2, 3, 64, 64]);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] when there is no index or one is beyond the chips; otherwise as
    /// [`Raster::open`](crate::Raster::open).
    pub fn chips(&self, domain: Domain, split: Split, indices: &[usize]) -> Result<Tensor> {
        let files = indices.iter().map(|&index| self.file(domain, split, index)).collect::<Result<Vec<_>>>()?;
        if files.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "no chips are asked for").expected("at least one index"));
        }
        self.domain(domain).reader.tensor(files.into_iter(), None)
    }

    /// One chip as an image in its own values, after `resize_to`.
    ///
    /// # Errors
    /// As [`DataBunch::chips`].
    pub fn image(&self, domain: Domain, split: Split, index: usize) -> Result<Raster> {
        self.domain(domain).reader.image(self.file(domain, split, index)?)
    }

    /// The same chips, scaled by statistics of another data set: those that a model was trained with.
    pub(crate) fn scaled_as(&self, scalings: PerDomain<Normaliser>) -> Result<Self> {
        for domain in Domain::BOTH {
            let scaling = scalings.get(domain);
            if scaling.bands() != self.bands(domain) {
                return Err(Error::new(
                    ErrorKind::Usage,
                    format!("the model does not fit the chips of domain {domain}"),
                )
                .expected(format!("{} bands", scaling.bands()))
                .found(format!("{} in {}", self.bands(domain), self.path().display())));
            }
        }
        let mut shared = (*self.shared).clone();
        shared.domains.a.reader.normaliser = scalings.a;
        shared.domains.b.reader.normaliser = scalings.b;
        Ok(Self { shared: Arc::new(shared) })
    }

    fn file(&self, domain: Domain, split: Split, index: usize) -> Result<&PathBuf> {
        let files = self.files(domain, split);
        files.get(index).ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("domain {domain} has no chip of this number"))
                .at(self.path())
                .expected(format!("an index below {}", files.len()))
                .found(index)
        })
    }

    fn batch(
        &self,
        batch: usize,
        draws: usize,
        tensor: impl Fn(Domain, std::ops::Range<usize>) -> Result<Tensor>,
    ) -> Result<Batch> {
        let start = batch * self.batch_size();
        let places = start..draws.min(start + self.batch_size());
        Ok(Batch { a: tensor(Domain::A, places.clone())?, b: tensor(Domain::B, places)? })
    }

    fn training_tensor(
        &self,
        domain: Domain,
        epoch: u64,
        order: &PerDomain<Vec<usize>>,
        places: std::ops::Range<usize>,
    ) -> Result<Tensor> {
        let data = self.domain(domain);
        let start = places.start;
        let name = format!("augment/{domain}");
        // The stream of a draw does not depend on the batch that it falls into.
        let stream = |place| self.shared.seed.stream(&name, (epoch << 32).wrapping_add((start + place) as u64));
        let files = order.get(domain)[places].iter().map(|&index| &data.train[index]);
        data.reader.tensor(files, Some((&self.shared.augment, &stream)))
    }
}

/// All chips that train or validate are looked at, so that the normalisation covers both.
fn survey(options: &PrepareData, layout: &Layout, domain: Domain) -> Result<Survey> {
    let files: Vec<&PathBuf> = layout.train.get(domain).iter().chain(layout.valid.get(domain)).collect();
    let survey = Survey::of(&options.path, domain, &files, options.resize_to, options.bad_chips)?;
    options.augment.output_size((survey.shape.height, survey.shape.width))?;
    Ok(survey)
}

fn leave_out(layout: &mut Layout, skipped: &[(PathBuf, String)]) {
    let bad: BTreeSet<&Path> = skipped.iter().map(|(file, _)| file.as_path()).collect();
    for files in [&mut layout.train, &mut layout.valid].into_iter().flat_map(|part| [&mut part.a, &mut part.b]) {
        files.retain(|file| !bad.contains(file.as_path()));
    }
}

/// Takes validation chips out of the training chips, where the folder brings none and both domains have enough.
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
    if layout.train.a.len() < 2 || layout.train.b.len() < 2 {
        tracing::warn!(path = %options.path.display(), "a domain with one chip cannot be split; there is no validation");
        return Ok(());
    }
    let seed = Seed(options.seed);
    for (domain, train, valid) in
        [(Domain::A, &mut layout.train.a, &mut layout.valid.a), (Domain::B, &mut layout.train.b, &mut layout.valid.b)]
    {
        let mut random = seed.stream(&format!("split/{domain}"), 0);
        for place in validation_places(train.len(), options.val_split_pct, &mut random).into_iter().rev() {
            valid.push(train.remove(place));
        }
        valid.reverse();
    }
    Ok(())
}

/// Few keep well ahead of training, and each takes a processor from libtorch.
const MOST_WORKERS: usize = 4;

fn default_workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS)
}

impl DomainData {
    fn new(
        survey: Survey,
        [train, valid, test]: [Vec<PathBuf>; 3],
        channels: usize,
        options: &PrepareData,
    ) -> Result<Self> {
        let Survey { shape, statistics, .. } = survey;
        let (min, max) = statistics.bands().iter().map(|band| (band.min, band.max)).unzip();
        let reader =
            ChipReader { shape, resize_to: options.resize_to, normaliser: Normaliser::new(min, max, channels)? };
        Ok(Self { train, valid, test, statistics, reader })
    }
}

impl fmt::Display for DataBunch {
    /// A summary in a few lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path().display())?;
        for domain in Domain::BOTH {
            let Shape { bands, height, width } = self.domain(domain).reader.shape;
            let plural = if bands == 1 { "band" } else { "bands" };
            let (train, valid) = (self.len(domain), self.valid_len(domain));
            writeln!(
                f,
                "  {domain}: {train} training and {valid} validation chips, {width} x {height} pixels, {bands} {plural}"
            )?;
        }
        if !self.skipped().is_empty() {
            writeln!(f, "  {} chips left out", self.skipped().len())?;
        }
        if self.batch_size_option() == BatchSize::Auto {
            return write!(f, "  batch size to be measured, seed {}", self.seed());
        }
        write!(f, "  {} batches of {} an epoch, seed {}", self.batches_per_epoch(), self.batch_size(), self.seed())
    }
}

impl fmt::Debug for DataBunch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataBunch({self})")
    }
}
