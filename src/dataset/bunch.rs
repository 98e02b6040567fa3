//! Prepared data: what a model trains on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::augment::Augment;
use super::bands::Selection;
use super::batch::ChipReader;
use super::batch_size::BatchSize;
use super::dataset_type::DatasetType;
use super::domain::{Domain, PerDomain};
use super::normalize::Normalizer;
use super::scenes::{SceneSet, WindowOptions};
use super::spec::DomainSpec;
use super::statistics::Statistics;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::HostMemory;
use crate::peers::{Part, Portion};
use crate::random::Seed;
use crate::raster::{BandScale, Colors, Dtype};

/// A part of a domain's chips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Split {
    /// The chips for training.
    Train,
    /// The chips for validation.
    Valid,
    /// The chips in a test folder beside a validation folder.
    Test,
}

/// Prepared chips of two domains, as [`prepare_data`](crate::prepare_data) returns them.
///
/// A clone shares everything with the original and is cheap. Chips are read from disk when they are needed.
///
/// ```
/// use geolearn::{DatasetType, Domain, prepare_data};
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
    pub(super) shared: Arc<Shared>,
}

#[derive(Clone)]
pub(super) struct Shared {
    pub path: PathBuf,
    pub dataset_type: DatasetType,
    pub working_dir: PathBuf,
    pub seed: Seed,
    pub batch_size: BatchSize,
    pub workers: usize,
    pub prefetch: usize,
    pub augment: Augment,
    pub domains: PerDomain<DomainData>,
    /// How windows are drawn; `None` for chips.
    pub window_options: Option<WindowOptions>,
    pub skipped: Vec<(PathBuf, String)>,
    /// Remarks on the scenes for the caller.
    pub remarks: Vec<String>,
    /// Checksums of the chips' contents, computed on first use; shared by copies.
    pub contents: Arc<PerDomain<OnceLock<String>>>,
}

/// Everything known about one domain.
#[derive(Clone)]
pub(super) struct DomainData {
    /// Shared with copies that have another batch size or scaling, because with millions of chips it takes most of the
    /// memory.
    pub train: Arc<[PathBuf]>,
    pub valid: Arc<[PathBuf]>,
    pub test: Arc<[PathBuf]>,
    /// The scenes that windows are drawn from, instead of chips.
    pub scenes: Option<Arc<SceneSet>>,
    pub statistics: Statistics,
    /// The file that the statistics come from, if they were not measured.
    pub definition: Option<PathBuf>,
    pub band_names: Vec<Option<String>>,
    /// One for each band in use.
    pub band_scales: Vec<BandScale>,
    /// How to find the used bands in a file.
    pub selection: Selection,
    pub colors: Colors,
    pub reader: ChipReader,
}

impl DataBunch {
    pub(super) fn domain(&self, domain: Domain) -> &DomainData {
        self.shared.domains.get(domain)
    }

    /// Returns the folder that was prepared.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// Returns the folder where models are saved if only a name is given.
    pub fn working_dir(&self) -> &Path {
        &self.shared.working_dir
    }

    /// Returns the seed of split, order and augmentation.
    pub fn seed(&self) -> u64 {
        self.shared.seed.0
    }

    /// Returns the number of chips of each domain in a batch; 1 for [`BatchSize::Auto`] until a model has measured it.
    pub fn batch_size(&self) -> usize {
        self.shared.batch_size.or_one()
    }

    pub(crate) fn batch_size_option(&self) -> BatchSize {
        self.shared.batch_size
    }

    /// Returns the same chips in batches of another size.
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
    /// [`ErrorKind::Usage`] for a size that is out of range.
    pub fn with_batch_size(&self, chips: usize) -> Result<Self> {
        BatchSize::Fixed(chips).check()?;
        let mut shared = (*self.shared).clone();
        shared.batch_size = BatchSize::Fixed(chips);
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Returns the random changes of training chips.
    pub fn augment(&self) -> &Augment {
        &self.shared.augment
    }

    /// Returns the number of training chips of a domain, or for [scenes](crate::PrepareData::scenes) the number of
    /// windows per epoch.
    pub fn len(&self, domain: Domain) -> usize {
        self.count(domain, Split::Train)
    }

    /// Returns the number of validation chips or windows of a domain.
    pub fn valid_len(&self, domain: Domain) -> usize {
        self.count(domain, Split::Valid)
    }

    /// Returns the number of chips or windows in a split of a domain.
    pub(crate) fn count(&self, domain: Domain, split: Split) -> usize {
        match (&self.domain(domain).scenes, split) {
            (Some(scenes), Split::Train) => scenes.len(),
            (Some(scenes), Split::Valid) => scenes.valid_len(),
            _ => self.files(domain, split).len(),
        }
    }

    /// Returns the chips in a split of a domain, sorted by folder and name. If chips are [paired](DataBunch::pairs),
    /// those of B are in the order of their partners. Empty if windows are drawn from [scenes](DataBunch::scene_files).
    pub fn files(&self, domain: Domain, split: Split) -> &[PathBuf] {
        let data = self.domain(domain);
        match split {
            Split::Train => &data.train,
            Split::Valid => &data.valid,
            Split::Test => &data.test,
        }
    }

    /// Returns the training chips of a domain, sorted by folder and name.
    pub fn train_files(&self, domain: Domain) -> &[PathBuf] {
        self.files(domain, Split::Train)
    }

    /// Returns the validation chips of a domain, sorted by folder and name.
    pub fn valid_files(&self, domain: Domain) -> &[PathBuf] {
        self.files(domain, Split::Valid)
    }

    /// Returns the chips in a test folder beside a validation folder. `prepare_data` does not read them.
    pub fn test_files(&self, domain: Domain) -> &[PathBuf] {
        self.files(domain, Split::Test)
    }

    /// Returns the chips or scenes that were left out, each with the reason; see [`BadChips::Skip`](crate::dataset::BadChips::Skip).
    pub fn skipped(&self) -> &[(PathBuf, String)] {
        &self.shared.skipped
    }

    /// Returns the number of bands of a domain's chips that are used.
    pub fn bands(&self, domain: Domain) -> usize {
        self.domain(domain).reader.shape.bands
    }

    /// Returns everything known about a domain besides its chips.
    pub(crate) fn spec(&self, domain: Domain) -> DomainSpec {
        let bands = self.statistics(domain).bands();
        DomainSpec {
            normalizer: self.normalizer(domain).clone(),
            mean: bands.iter().map(|band| band.mean).collect(),
            std: bands.iter().map(|band| band.std).collect(),
            chip: self.chip_size(domain),
            selection: self.selection(domain).clone(),
            band_names: self.band_names(domain).to_vec(),
            band_scales: self.band_scales(domain).to_vec(),
        }
    }

    /// Returns which bands of a domain's files are used.
    pub(crate) fn selection(&self, domain: Domain) -> &Selection {
        &self.domain(domain).selection
    }

    /// Returns the name of each used band, if the files give it one.
    pub fn band_names(&self, domain: Domain) -> &[Option<String>] {
        &self.domain(domain).band_names
    }

    /// Returns the scale and offset of each used band, which convert samples to physical values. Training uses the
    /// samples as stored; predictions keep these scales.
    pub fn band_scales(&self, domain: Domain) -> &[BandScale] {
        &self.domain(domain).band_scales
    }

    /// Returns the data type of a domain's chips.
    pub fn dtype(&self, domain: Domain) -> Dtype {
        self.domain(domain).reader.shape.dtype
    }

    /// Returns the number of channels of a domain's tensors, C: the larger number of bands of the two domains, unless each has
    /// its [own](crate::dataset::Channels::Own).
    pub fn channels(&self, domain: Domain) -> usize {
        self.normalizer(domain).channels()
    }

    /// Returns height and width of a domain's chips in pixels, after `resize_to` or `mixed_sizes` and before a random crop.
    pub fn chip_size(&self, domain: Domain) -> (usize, usize) {
        self.domain(domain).reader.shape.size()
    }

    /// Returns the statistics of a domain's bands.
    pub fn statistics(&self, domain: Domain) -> &Statistics {
        &self.domain(domain).statistics
    }

    /// Returns the `.emd` file that the statistics of a domain come from, or `None` if the chips were measured.
    pub fn statistics_file(&self, domain: Domain) -> Option<&Path> {
        self.domain(domain).definition.as_deref()
    }

    /// Returns the range of cell sizes that Export Training Data recorded for domain A, or else for B.
    pub(crate) fn cell_sizes(&self) -> Option<[serde_json::Value; 2]> {
        Domain::BOTH.into_iter().filter_map(|domain| self.statistics_file(domain)).find_map(super::esri::cell_sizes)
    }

    /// Returns how images of a domain are shown in pictures.
    pub(crate) fn colors(&self, domain: Domain) -> &Colors {
        &self.domain(domain).colors
    }

    /// Returns the scaling of a domain, with its inverse.
    pub fn normalizer(&self, domain: Domain) -> &Normalizer {
        &self.domain(domain).reader.normalizer
    }

    /// Returns the number of batches in an epoch; the last may be smaller than the others.
    pub fn batches_per_epoch(&self) -> usize {
        self.steps_per_epoch(Part::WHOLE)
    }

    /// Returns the number of batches in an epoch that this many processes share.
    pub(crate) fn steps_per_epoch(&self, part: Part) -> usize {
        self.draws().div_ceil(self.joint_batch_size(part))
    }

    /// Returns the number of chips of each domain in a batch across all processes.
    pub(crate) fn joint_batch_size(&self, part: Part) -> usize {
        self.batch_size().saturating_mul(part.count)
    }

    /// Returns this process's part of a batch, which has fewer chips at the end of an epoch.
    pub(crate) fn portion(&self, part: Part, batch: usize) -> Portion {
        let size = self.joint_batch_size(part);
        Portion { part, images: self.draws().saturating_sub(batch.saturating_mul(size)).min(size) }
    }

    /// Returns the number of validation batches.
    pub fn valid_batches(&self) -> usize {
        self.valid_pairs().div_ceil(self.batch_size())
    }

    /// Returns the largest number of batches in memory at once: the one in use and those that workers have ready or are
    /// making.
    pub(crate) fn batches_ahead(&self) -> usize {
        1 + self.shared.workers.min(self.batches_per_epoch()).saturating_mul(self.shared.prefetch + 1)
    }

    /// Returns the number of chips drawn per epoch from each domain: as many as the larger domain has.
    pub(crate) fn draws(&self) -> usize {
        self.len(Domain::A).max(self.len(Domain::B))
    }

    pub(super) fn valid_pairs(&self) -> usize {
        let [a, b] = Domain::BOTH.map(|domain| self.valid_len(domain));
        if a == 0 || b == 0 { 0 } else { a.max(b) }
    }

    /// Returns the same chips, with tensors allocated in memory that transfers quickly to `device`.
    pub(crate) fn for_device(&self, device: tch::Device) -> Self {
        let memory = HostMemory::for_device(device);
        if self.domain(Domain::A).reader.memory == memory {
            return self.clone();
        }
        let mut shared = (*self.shared).clone();
        shared.domains.a.reader.memory = memory;
        shared.domains.b.reader.memory = memory;
        Self { shared: Arc::new(shared) }
    }

    /// Returns the same chips, scaled by the statistics of another dataset: the one that a model was trained on.
    pub(crate) fn scaled_as(&self, scalings: PerDomain<Normalizer>) -> Result<Self> {
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
        shared.domains.a.reader.normalizer = scalings.a;
        shared.domains.b.reader.normalizer = scalings.b;
        Ok(Self { shared: Arc::new(shared) })
    }
}
