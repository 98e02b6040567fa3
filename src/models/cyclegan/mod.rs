//! CycleGAN (Zhu et al. 2017, arXiv:1703.10593), under the names that arcgis.learn gives its parts.

#[cfg(test)]
mod arcgis_tests;
mod batch_size;
mod builder;
mod config;
#[cfg(test)]
mod cuda_tests;
mod definition;
mod export;
#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod graph_tests;
mod graphs;
mod halves;
mod import;
#[cfg(test)]
mod import_tests;
mod memory;
#[cfg(test)]
mod memory_tests;
mod networks;
mod objective;
mod predict;
mod quality;
mod raster;
mod recipe;
#[cfg(test)]
mod recipe_tests;
mod report;
mod resumed;
mod saved;
#[cfg(test)]
mod spectral_tests;
mod step;
mod training;
mod translator;
mod weights;
#[cfg(test)]
mod weights_tests;

pub use builder::CycleGanBuilder;
pub use config::CycleGanConfig;
pub use import::GeneratorImport;
pub use recipe::Recipe;
pub use saved::LoadOptions;

use std::fmt;

use tch::Kind;

use crate::dataset::{DataBunch, DatasetType, Domain, PerDomain};
use crate::device::{ChosenDevice, Precision};
use crate::error::{Error, ErrorKind, Result};
use crate::evaluation::Metrics;
use crate::ffi::KeptMemory;
use crate::models::direction::Direction;
use crate::models::facts::DomainFacts;
use crate::models::predictor::Predictor;
use crate::package::emd::Emd;
use crate::plot::{self, Picture};
use crate::train::{self, BatchSizeTrial, FitOptions, History, LrCurve, LrFindOptions, Translator};
use networks::Networks;
use step::Optimisers;
use training::Training;

/// Translates between two domains of images that are not paired.
///
/// Generator-A makes images of domain A from those of B, Generator-B the other way; Discriminator-A tells real
/// images of A from generated ones, Discriminator-B those of B.
///
/// ```
/// use geolearn::{CycleGan, DatasetType, FitOptions, PrepareData};
///
/// # let work = tempfile::tempdir().unwrap();
/// # let chips = geolearn_doc::few_chips(work.path());
/// let data = PrepareData::new(&chips, DatasetType::CycleGan).resize_to(32).prepare()?;
/// let mut model = CycleGan::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).build()?;
/// let history = model.fit(FitOptions::new(1).progress(false))?;
/// assert!(history.last("cycle").unwrap().is_finite());
/// let map = model.predict_a2b(data.train_files(geolearn::Domain::A)[0].as_path())?;
/// map.save(work.path().join("map.png"))?;
/// model.save(work.path().join("models/sat2map"))?;
/// # mod geolearn_doc {
/// #     pub fn few_chips(to: &std::path::Path) -> std::path::PathBuf {
/// #         for domain in ["A", "B"] {
/// #             let from = format!("assets/bluemarble/{domain}/images");
/// #             let into = to.join("chips").join(domain).join("images");
/// #             std::fs::create_dir_all(&into).unwrap();
/// #             for file in std::fs::read_dir(from).unwrap().take(4) {
/// #                 let file = file.unwrap();
/// #                 std::fs::copy(file.path(), into.join(file.file_name())).unwrap();
/// #             }
/// #         }
/// #         to.join("chips")
/// #     }
/// # }
/// # Ok::<(), geolearn::Error>(())
/// ```
pub struct CycleGan {
    config: CycleGanConfig,
    nets: Networks,
    /// What training changes besides the networks; none before the first.
    optimisers: Option<Optimisers>,
    history: History,
    domains: PerDomain<DomainFacts>,
    data: Option<DataBunch>,
    device: ChosenDevice,
    trials: Vec<BatchSizeTrial>,
    /// Whether the encoders of the generators stay as they are.
    frozen: bool,
    /// The definition that it was loaded with; its keys live on.
    definition: Option<Emd>,
    /// What was measured of it since it was last trained.
    metrics: Option<Metrics>,
    /// The domain whose images no generator makes yet: of an import of the other generator alone, before any training.
    untrained: Option<Domain>,
    /// On a processor, while it trains.
    kept: Option<KeptMemory>,
}

impl CycleGan {
    /// A model with the defaults of [`CycleGanConfig`] and fresh weights.
    ///
    /// # Errors
    /// `Usage` when the chips are too small to train on, `Torch` when memory is short.
    pub fn new(data: &DataBunch) -> Result<Self> {
        Self::builder(data).build()
    }

    /// Options first; see [`CycleGanConfig`] for the table of them.
    pub fn builder(data: &DataBunch) -> CycleGanBuilder {
        CycleGanBuilder::new(data)
    }

    fn with(data: DataBunch, config: CycleGanConfig, device: ChosenDevice) -> Result<Self> {
        check_chips(&data, &config)?;
        let domains = PerDomain::from_fn(|domain| DomainFacts::of(&data, domain));
        let channels = PerDomain::from_fn(|domain| data.channels(domain));
        let nets = Networks::new(&config, channels, device.torch(), Kind::Float)?;
        Self::assemble(nets, config, domains, Some(data), device)
    }

    fn assemble(
        nets: Networks,
        config: CycleGanConfig,
        domains: PerDomain<DomainFacts>,
        data: Option<DataBunch>,
        device: ChosenDevice,
    ) -> Result<Self> {
        config.check_domains(&domains)?;
        let (history, trials) = (History::default(), Vec::new());
        Ok(Self {
            config,
            nets,
            optimisers: None,
            history,
            domains,
            data,
            device,
            trials,
            frozen: false,
            definition: None,
            metrics: None,
            untrained: None,
            kept: None,
        })
    }

    /// Trains: `fit(20)` for twenty epochs by the published recipe, or [`FitOptions`] for anything else.
    ///
    /// Fits follow on from each other: weights, optimiser moments and random streams live on. Gives the record
    /// of this fit; that of all is [`history`](Self::history).
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, DatasetType, FitOptions, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::new(&data)?;
    /// model.fit(20)?;
    /// let history = model.fit(FitOptions::new(10).lr(1e-4))?;
    /// println!("{:?}", history.losses("cycle"));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when an option is out of range, the chips are too small or the model has no data; `Diverged` when a
    /// loss or a weight is no longer finite; `Format` or `Io` for a chip that can no longer be read; what libtorch or
    /// a callback reports; what is wrong with a checkpoint; `Limits` when memory is not enough, by
    /// [`memory_estimate`](Self::memory_estimate) before it begins or in truth later. After an error within an epoch the model is as it was at
    /// the end of the epoch before; after one in writing a checkpoint it stays as it is, and can be saved elsewhere. So it is
    /// after a panic of a callback that is caught: model and history agree.
    pub fn fit(&mut self, options: impl Into<FitOptions>) -> Result<History> {
        let data = self.data("fit")?;
        check_chips(&data, &self.config)?;
        let options = options.into();
        self.optimisers()?;
        let mut training = Training::of(self);
        train::fit(&mut *training.model, &data, options, &mut training.history)
    }

    /// Sweeps over learning rates from 1e-7 to 1 in 100 steps of training and puts the model back to the bit: weights,
    /// moments, image pools. Gives the curve, its [suggestion](LrCurve::suggestion) and its
    /// [picture](LrCurve::plot).
    ///
    /// ```no_run
    /// use geolearn::{CycleGan, DatasetType, FitOptions, prepare_data};
    ///
    /// let data = prepare_data("chips/", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::new(&data)?;
    /// let curve = model.lr_find()?;
    /// curve.plot()?.save("lr.png")?;
    /// model.fit(FitOptions::new(20).lr(curve.suggestion().unwrap_or(2e-4)))?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when the model has no data or its chips are too small; what reading the chips or libtorch reports.
    pub fn lr_find(&mut self) -> Result<LrCurve> {
        self.lr_find_with(LrFindOptions::default())
    }

    /// The same over other rates, or in more or fewer steps.
    ///
    /// # Errors
    /// As [`lr_find`](Self::lr_find), and `Usage` for an option out of range.
    pub fn lr_find_with(&mut self, options: LrFindOptions) -> Result<LrCurve> {
        let data = self.data("lr_find")?;
        check_chips(&data, &self.config)?;
        let steps = self.history.steps();
        self.optimisers()?;
        train::lr_find(&mut *Training::of(self).model, &data, steps, options)
    }

    /// Measures the model on the validation pairs, which never change: each of [`available_metrics`] that begins with
    /// `valid_`, with its mean over all images, in the default [`Precision`]. Changes nothing; the same weights always give
    /// the same numbers.
    ///
    /// [`available_metrics`]: Self::available_metrics
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
    /// for (name, value) in model.validate()? {
    ///     println!("{name} {value:.3}");
    /// }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` when the model has no data or the data no validation pairs; what reading the chips reports.
    pub fn validate(&self) -> Result<Vec<(&'static str, f64)>> {
        let data = self.data("validate")?;
        let measured = train::validate(self, &data.for_device(self.device.torch()), Precision::Auto)?;
        let measured = measured.ok_or_else(|| {
            Error::new(ErrorKind::Usage, "there are no validation pairs")
                .at(data.path())
                .help("Prepare the data with val_split_pct above 0, or with folders valid_a and valid_b.")
        })?;
        Ok(self.metric_names().iter().copied().zip(measured).collect())
    }

    /// The model's own names for [`FitOptions::monitor`]: metrics on the validation pairs, where the data have any, and
    /// losses of training; lower is better. [KID and FID](crate::InceptionDistances) and metrics that are added to a fit
    /// can be monitored besides.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert!(model.available_metrics().contains(&"cycle"));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn available_metrics(&self) -> Vec<&'static str> {
        let validated = self.data.as_ref().is_some_and(|data| data.valid_batches() > 0);
        let metrics = if validated { self.metric_names() } else { &[] };
        metrics.iter().chain(self.loss_names()).copied().collect()
    }

    /// The kinds of data that it trains on.
    pub fn supported_datasets() -> &'static [DatasetType] {
        &[DatasetType::CycleGan]
    }

    /// Keeps the encoders of both generators (the layers before the residual blocks) as they are in the fits to come,
    /// so that few chips can train the rest of a [pretrained](CycleGanBuilder::pretrained_path) model.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
    /// model.freeze();
    /// // model.fit(5)?;
    /// model.unfreeze();
    /// assert!(!model.is_frozen());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn freeze(&mut self) {
        self.set_frozen(true);
    }

    /// Lets all layers learn again. A new model has none that does not.
    pub fn unfreeze(&mut self) {
        self.set_frozen(false);
    }

    /// Whether [`freeze`](Self::freeze) holds.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Whether the last training step was replayed from CUDA graphs: each half of a step is recorded once and then launched with
    /// one call. That saves time where launching the kernels one by one takes longer than running them, as with small batches.
    /// A recording keeps the memory of a step to itself until training ends; where less than as much again would be free, none
    /// is made.
    ///
    /// Steps on CUDA do, unless the environment variable `GEOLEARN_CUDA_GRAPHS=0` switches them off, in a model without
    /// [`spectral_norm`](CycleGanConfig::spectral_norm), [`diff_augment`](CycleGanConfig::diff_augment) and
    /// [`cycle_weight_end`](CycleGanConfig::cycle_weight_end). The first three steps of a batch size are never recorded; and where
    /// recording fails, training goes on without.
    ///
    /// ```
    /// let model = geolearn::CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert!(!model.uses_cuda_graphs());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn uses_cuda_graphs(&self) -> bool {
        self.optimisers.as_ref().is_some_and(|optimisers| optimisers.graphs().are_used())
    }

    /// Why this model trains without CUDA graphs on CUDA, where recording a step has failed; else none.
    ///
    /// ```
    /// let model = geolearn::CycleGan::from_model("assets/models/sat2relief", None)?;
    /// assert_eq!(model.cuda_graphs_failure(), None);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn cuda_graphs_failure(&self) -> Option<&str> {
        self.optimisers.as_ref().and_then(|optimisers| optimisers.graphs().failure())
    }

    fn set_frozen(&mut self, frozen: bool) {
        self.frozen = frozen;
        if let Some(optimisers) = &mut self.optimisers {
            optimisers.freeze_encoders(frozen);
        }
    }

    /// What training changes besides the networks, which takes twice the memory of the weights when training begins.
    fn optimisers(&mut self) -> Result<&mut Optimisers> {
        let optimisers = match self.optimisers.take() {
            Some(optimisers) => optimisers,
            None => {
                let mut new = Optimisers::new(&self.nets, &self.config)?;
                new.freeze_encoders(self.frozen);
                new
            }
        };
        Ok(self.optimisers.insert(optimisers))
    }

    fn channels(&self) -> PerDomain<usize> {
        PerDomain::from_fn(|domain| self.domain(domain).normaliser.channels())
    }

    /// Rows of input, translation and reconstruction of fixed validation chips, or of training chips where
    /// there is no validation set.
    ///
    /// # Errors
    /// `Usage` when the model has no data; what reading the chips reports.
    pub fn show_results(&self, rows: usize) -> Result<Picture> {
        plot::show_results(self, &self.data("show_results")?, rows)
    }

    /// The losses over epochs, and dashed in the same colours those on the validation pairs.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let picture = model.plot_losses()?;
    /// assert_eq!(picture.as_rgb_image().dimensions(), (960, 640));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` before the first epoch.
    pub fn plot_losses(&self) -> Result<Picture> {
        plot::losses(&self.history)
    }

    /// The learning rate of each epoch; [`FitOptions::plot_lr`] draws that of a fit to come.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// let picture = model.plot_lr()?;
    /// assert_eq!(picture.as_rgb_image().dimensions(), (960, 640));
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Usage` before the first epoch.
    pub fn plot_lr(&self) -> Result<Picture> {
        plot::rates(&self.history)
    }

    /// The record of every epoch this model was trained for.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How the model was made.
    pub fn config(&self) -> &CycleGanConfig {
        &self.config
    }

    /// Where it computes, and why not on CUDA where it does not.
    pub fn device(&self) -> &ChosenDevice {
        &self.device
    }

    fn check_trained(&self, to: Domain) -> Result<()> {
        check_trained(self.untrained, to)
    }

    fn domain(&self, domain: Domain) -> &DomainFacts {
        self.domains.get(domain)
    }

    fn data(&self, what: &str) -> Result<DataBunch> {
        self.data.clone().ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("{what} needs data, and this model was loaded without"))
                .help("Give the data to CycleGan::from_model.")
        })
    }
}

impl fmt::Debug for CycleGan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CycleGan")
            .field("config", &self.config)
            .field("device", &self.device.to_string())
            .field("epochs", &self.history.epochs().len())
            .finish_non_exhaustive()
    }
}

/// Height and width of what the networks learn from.
fn training_size(data: &DataBunch, domain: Domain) -> (usize, usize) {
    let (height, width) = data.chip_size(domain);
    data.augment().crop_side().map_or((height, width), |side| (side.min(height), side.min(width)))
}

/// Noise must not pass for a translation.
fn check_trained(untrained: Option<Domain>, to: Domain) -> Result<()> {
    if untrained != Some(to) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, format!("no generator of this model makes images of domain {to} yet"))
        .expected("a model of both generators")
        .found(format!("an import of the one that makes images of domain {}", to.other()))
        .help("Import both with CycleGan::import_generators, or fit the model."))
}

/// The discriminator's last layers have nothing to look at in chips below a certain size.
fn check_chips(data: &DataBunch, config: &CycleGanConfig) -> Result<()> {
    let smallest = config.smallest_side();
    for domain in Domain::BOTH {
        let (height, width) = training_size(data, domain);
        if (height.min(width) as i64) < smallest {
            return Err(Error::new(ErrorKind::Usage, format!("chips of domain {domain} are too small to train on"))
                .at(data.path())
                .expected(format!("sides of at least {smallest} pixels"))
                .found(format!("{width} x {height}"))
                .help("Use larger chips, a larger crop, or PrepareData::resize_to."));
        }
    }
    Ok(())
}
