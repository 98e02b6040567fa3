//! A model with all that is around it.

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

/// A model with its data, its history and its device: fits, measures, predicts, exports, saves and loads.
///
/// [`CycleGan`](crate::CycleGan) is one. The methods here are those of every kind of model.
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
    /// What was tried to find the batch size.
    pub(super) trials: Vec<BatchSizeTrial>,
    /// The definition that it was loaded with; its keys live on.
    pub(super) definition: Option<Emd>,
    /// What was measured of it since it was last trained.
    pub(super) metrics: Option<Metrics>,
    /// The domain whose images no generator makes yet: of an import of the other generator alone, before any training.
    pub(in crate::models) untrained: Option<Domain>,
    /// What it began with of another model's weights.
    pub(super) pretrained: Option<LoadReport>,
    /// On a processor, while it trains.
    pub(super) kept: Option<KeptMemory>,
}

impl<M: Model> Learner<M> {
    /// Builds a model with fresh weights for the data.
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

    /// The kinds of data that it trains on.
    pub fn supported_datasets() -> &'static [DatasetType] {
        M::DATASETS
    }

    /// The record of every epoch this model was trained for.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How the model was made.
    pub fn config(&self) -> &M::Config {
        self.model.config()
    }

    /// Where it computes, and why not on CUDA where it does not.
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
            Error::new(ErrorKind::Usage, format!("{what} needs data, and this model was loaded without"))
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

/// Height and width of what the networks learn from.
pub(super) fn training_size(data: &DataBunch, domain: Domain) -> (usize, usize) {
    let (height, width) = data.chip_size(domain);
    data.augment().crop_side().map_or((height, width), |side| (side.min(height), side.min(width)))
}

/// Refuses a direction that this kind of model does not have, or a generator that is noise.
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
        .expected("a model of both generators")
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

/// Refuses data of another kind than the model learns from, and chips below a certain size, in which the discriminator's last
/// layers have nothing to look at.
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
