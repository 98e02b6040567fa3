//! A model with its data, history and device.

use std::fmt;

use super::load_report::LoadReport;
use super::model::{Model, Start};
use crate::dataset::{DataBunch, DatasetType, Domain, DomainSpec, PerDomain};
use crate::device::ChosenDevice;
use crate::error::{Error, ErrorKind, Result};
use crate::evaluation::Metrics;
use crate::ffi::KeptMemory;
use crate::package::emd::Emd;
use crate::train::{BatchSizeTrial, History};

/// A model with its data, history and device: fits, measures, predicts, exports, saves and loads.
///
/// [`CycleGan`](crate::CycleGan) is one. These methods are the same for every kind of model.
///
/// ```
/// use geolearn::models::Learner;
/// use geolearn::models::cyclegan::CycleGanModel;
/// use geolearn::{CycleGan, Domain};
///
/// let model: Learner<CycleGanModel> = CycleGan::from_model("assets/models/sat2relief", None)?;
/// assert_eq!(model.predict("assets/bluemarble/A/images/y0300_x0900.png", Domain::B)?.bands(), 3);
/// # Ok::<(), geolearn::Error>(())
/// ```
pub struct Learner<M: Model> {
    pub(in crate::models) model: M,
    pub(in crate::models) history: History,
    pub(in crate::models) domains: PerDomain<DomainSpec>,
    pub(in crate::models) data: Option<DataBunch>,
    pub(in crate::models) device: ChosenDevice,
    /// The measurements that decided the batch size.
    pub(super) trials: Vec<BatchSizeTrial>,
    /// The definition that it was loaded with, whose keys are kept.
    pub(super) definition: Option<Emd>,
    /// The last measurement since it was trained.
    pub(super) metrics: Option<Metrics>,
    /// The domain whose images no generator makes yet: for an import of the other generator alone, before any training.
    pub(in crate::models) untrained: Option<Domain>,
    /// The weights of another model that it started from.
    pub(super) pretrained: Option<LoadReport>,
    /// Found while it trains on a CPU.
    pub(super) kept: Option<KeptMemory>,
}

impl<M: Model> Learner<M> {
    /// Builds a model with new weights for the data.
    pub(super) fn for_data(data: DataBunch, config: M::Config, device: ChosenDevice) -> Result<Self> {
        check_chips::<M>(&data, &config)?;
        let domains = PerDomain::from_fn(|domain| data.spec(domain));
        Self::assemble((config, Start::Drawn), domains, Some(data), device)
    }

    /// Builds the networks for images of these domains.
    pub(in crate::models) fn assemble(
        (config, start): (M::Config, Start),
        domains: PerDomain<DomainSpec>,
        data: Option<DataBunch>,
        device: ChosenDevice,
    ) -> Result<Self> {
        M::check_domains(&config, &domains)?;
        let channels = PerDomain::from_fn(|domain| domains.get(domain).normalizer.channels());
        let model = M::build(config, channels, device.torch(), start)?;
        Ok(Self {
            model,
            history: History::default(),
            domains,
            data,
            device,
            trials: Vec::new(),
            definition: None,
            metrics: None,
            untrained: None,
            pretrained: None,
            kept: None,
        })
    }

    /// Returns the types of data that this model can be trained on.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, Pix2Pix};
    ///
    /// assert!(CycleGan::supported_datasets().contains(&DatasetType::CycleGan));
    /// assert_eq!(Pix2Pix::supported_datasets(), [DatasetType::Pix2Pix]);
    /// ```
    pub fn supported_datasets() -> &'static [DatasetType] {
        M::DATASETS
    }

    /// Returns the record of every epoch that this model was trained for.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// println!("trained for {} epochs", model.history().epochs().len());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Returns the options that the model was built with.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// println!("{} residual blocks", model.config().gen_blocks);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn config(&self) -> &M::Config {
        self.model.config()
    }

    /// Returns the device that the model computes on, with the reason if it is not CUDA.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// println!("{}", model.device());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    pub fn device(&self) -> &ChosenDevice {
        &self.device
    }

    pub(in crate::models) fn channels(&self) -> PerDomain<usize> {
        PerDomain::from_fn(|domain| self.domain(domain).normalizer.channels())
    }

    pub(super) fn check_direction(&self, to: Domain) -> Result<()> {
        check_direction::<M>(self.untrained, to)
    }

    pub(in crate::models) fn domain(&self, domain: Domain) -> &DomainSpec {
        self.domains.get(domain)
    }

    pub(in crate::models) fn data(&self, what: &str) -> Result<DataBunch> {
        self.data.clone().ok_or_else(|| {
            Error::new(ErrorKind::Usage, format!("{what} needs data, but this model was loaded without"))
                .help("Give the data to from_model.")
        })
    }
}

impl<M: Model> fmt::Debug for Learner<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(M::KIND.name)
            .field("config", self.config())
            .field("device", &self.device.to_string())
            .field("epochs", &self.history.epochs().len())
            .finish_non_exhaustive()
    }
}

/// Returns height and width of the images that the networks train on.
pub(super) fn training_size(data: &DataBunch, domain: Domain) -> (usize, usize) {
    let (height, width) = data.chip_size(domain);
    data.augment().crop_side().map_or((height, width), |side| (side.min(height), side.min(width)))
}

/// Refuses a direction that this kind of model does not have, or a generator that was never trained.
pub(super) fn check_direction<M: Model>(untrained: Option<Domain>, to: Domain) -> Result<()> {
    if !M::TARGETS.contains(&to) {
        let targets: Vec<String> = M::TARGETS.iter().map(ToString::to_string).collect();
        return Err(Error::new(ErrorKind::Usage, format!("a {} does not translate into domain {to}", M::KIND.name))
            .expected(format!("domain {}", targets.join(" or ")))
            .found(to)
            .help("Name the domain whose images are wanted."));
    }
    if untrained != Some(to) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, format!("no generator of this model makes images of domain {to} yet"))
        .expected("a model with both generators")
        .found(format!("an import of the one that makes images of domain {}", to.other()))
        .help("Import both generators, or fit the model."))
}

fn check_dataset<M: Model>(data: &DataBunch) -> Result<()> {
    let found = data.dataset_type();
    if M::DATASETS.contains(&found) {
        return Ok(());
    }
    let names: Vec<String> = M::DATASETS.iter().map(|dataset| format!("DatasetType::{dataset:?}")).collect();
    Err(Error::new(ErrorKind::Usage, format!("a {} does not learn from such data", M::KIND.name))
        .at(data.path())
        .expected(names.join(" or "))
        .found(format!("DatasetType::{found:?}"))
        .help("Name the type in prepare_data."))
}

/// Refuses data of a type that the model cannot train on, and chips so small that the discriminator's last layers have
/// no input.
pub(super) fn check_chips<M: Model>(data: &DataBunch, config: &M::Config) -> Result<()> {
    check_dataset::<M>(data)?;
    let smallest = M::smallest_side(config);
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
