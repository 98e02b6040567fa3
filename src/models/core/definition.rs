//! The model definition of a model, in arcgis.learn's keys and in our own section.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;

use super::learner::Learner;
use super::model::Model;
use crate::dataset::{DataBunch, Domain, DomainSpec, MixedBands, Normalizer, PerDomain, Selection, Values};
use crate::error::{Error, ErrorKind, Result};
use crate::evaluation::Metrics;
use crate::package::emd::{DomainBands, Emd, INFERENCE_FUNCTION, Opening};
use crate::raster::{BandScale, Dtype};
use crate::stored::known_fields;
use crate::train::History;

/// Everything for which arcgis.learn has no keys: our section of the definition.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", bound(deserialize = "C: DeserializeOwned"))]
struct GeolearnSection<C> {
    /// The release of this crate that wrote the file.
    version: String,
    #[serde(deserialize_with = "known_fields")]
    config: C,
    history: History,
    /// Missing in files from before there was a choice of bands and sample types.
    #[serde(default)]
    domains: Option<PerDomain<DomainSection>>,
    /// Missing if nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metrics: Option<Metrics>,
    /// The domain whose images no generator makes yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    untrained: Option<Domain>,
}

/// The part of our section that describes one domain.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DomainSection {
    values: Values,
    channels: usize,
    selection: Selection,
    band_names: Vec<Option<String>>,
    /// Missing in files of earlier releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    band_scales: Vec<BandScale>,
    /// Height and width.
    chip: (usize, usize),
}

impl DomainSection {
    fn of(facts: &DomainSpec) -> Self {
        Self {
            values: facts.normalizer.values(),
            channels: facts.normalizer.channels(),
            selection: facts.selection.clone(),
            band_names: facts.band_names.clone(),
            band_scales: facts.band_scales.clone(),
            chip: facts.chip,
        }
    }

    /// Returns what is true of arcgis.learn's models: both domains have the same number of channels, and multispectral
    /// ones are floating-point.
    fn of_arcgis(emd: &Emd, bands: usize) -> Self {
        let dtype = if emd.multispectral { Dtype::F32 } else { Dtype::U8 };
        Self {
            values: Values { dtype, ..Values::BYTES },
            channels: emd.channels(),
            selection: Selection::all(bands),
            band_names: vec![None; bands],
            band_scales: Vec::new(),
            chip: (emd.image_height, emd.image_width),
        }
    }
}

/// A parsed definition: every number is in range.
pub(super) struct ParsedDefinition<C> {
    pub config: C,
    pub history: History,
    pub domains: PerDomain<DomainSpec>,
    pub metrics: Option<Metrics>,
    pub untrained: Option<Domain>,
}

/// Parses a definition; what arcgis.learn's keys leave open follows from the shapes of the weights.
pub(super) fn read<M: Model>(emd: &Emd, weights: &[(String, Tensor)]) -> Result<ParsedDefinition<M::Config>> {
    let GeolearnSection { config, history, domains, metrics, untrained, .. } = extra::<M>(emd, weights)?;
    let stated = PerDomain { a: &emd.domain_a, b: &emd.domain_b };
    let of_arcgis = |domain| DomainSection::of_arcgis(emd, stated.get(domain).bands);
    let PerDomain { a, b } = domains.unwrap_or_else(|| PerDomain::from_fn(of_arcgis));
    let domains = PerDomain { a: facts(stated.a, a)?, b: facts(stated.b, b)? };
    Ok(ParsedDefinition { config, history, domains, metrics, untrained })
}

impl<M: Model> Learner<M> {
    /// Returns the definition of a model whose weights are in `model_file`, after checking that it can be read again.
    pub(super) fn definition(&self, model_file: &str) -> Result<Emd> {
        let mut emd = self.definition_to_begin_with(model_file);
        M::define(self.config(), &mut emd);
        if !self.history.epochs().is_empty() {
            // The rate before it began to fall.
            emd.learning_rate = self.history.epochs().iter().map(|epoch| epoch.lr).reduce(f64::max);
            emd.valid_loss = self.history.last("valid_loss").map(Into::into);
        }
        let extra = GeolearnSection {
            version: env!("CARGO_PKG_VERSION").to_string(),
            config: self.config().clone(),
            history: self.history.clone(),
            domains: Some(PerDomain::from_fn(|domain| DomainSection::of(self.domain(domain)))),
            metrics: self.metrics.clone(),
            untrained: self.untrained,
        };
        let direction = |to| Some((to, self.metrics.as_ref()?.to_domain(to)?));
        let measured = Domain::BOTH.into_iter().filter_map(direction);
        emd.set_fid(measured.map(|(to, direction)| (to.to_string(), direction.model.fid)));
        let failed = |e| Error::new(ErrorKind::Format, "model definition cannot be written").because(e);
        emd.geolearn = Some(over(M::OPTIONAL_KEYS, emd.geolearn.take(), serde_json::to_value(extra).map_err(failed)?));
        // A model that cannot be opened must not replace one that can.
        let again = Emd::parse(emd.to_json()?.as_bytes(), Opening::own(M::KIND)).and_then(|emd| read::<M>(&emd, &[]));
        again.map_err(|e| Error::new(e.kind(), "this model could not be opened again").because(e))?;
        Ok(emd)
    }

    /// Returns the definition that the model was loaded with, so that nothing of it is lost, or one that follows from
    /// its data.
    fn definition_to_begin_with(&self, model_file: &str) -> Emd {
        let [a, b] = Domain::BOTH.map(|domain| bands_of(self.domain(domain)));
        if let Some(loaded) = &self.definition {
            let mut emd = loaded.clone();
            emd.model_file = model_file.to_owned();
            // A script that was beside it is not here.
            emd.inference_function = INFERENCE_FUNCTION.to_owned();
            (emd.domain_a, emd.domain_b) = (a, b);
            return emd;
        }
        let plain = |domain| {
            let DomainSpec { normalizer, selection, .. } = self.domain(domain);
            let all = (selection.of, selection.bands.as_slice()) == (3, &[0, 1, 2]);
            normalizer.dtype() == Dtype::U8 && (all || selection.mixed == MixedBands::Rgb)
        };
        let rgb = Domain::BOTH.into_iter().all(plain);
        let mut emd = Emd::new(M::KIND, model_file, [a, b], !rgb);
        let (height, width) = self.domain(Domain::A).chip;
        emd.image_height = height;
        emd.image_width = width;
        emd.resize_to = height.into();
        if let Some(sizes) = self.data.as_ref().and_then(DataBunch::cell_sizes) {
            emd.set_cell_sizes(sizes);
        }
        // As in arcgis.learn, which would select statistics by this key, too. Our own choice is in `Geolearn`.
        emd.extract_bands = rgb.then(|| vec![0, 1, 2]);
        emd
    }
}

/// Merges our section into the one that was loaded; keys that only another release knows are kept.
fn over(optional: &[&str], loaded: Option<Value>, section: Value) -> Value {
    let (mut kept, new) = match (loaded, section) {
        (Some(Value::Object(kept)), Value::Object(new)) => (kept, new),
        (_, section) => return section,
    };
    // Optional keys must not come back.
    kept.retain(|key, _| !["Domains", "Metrics", "Untrained"].iter().chain(optional).any(|known| known == key));
    for (key, value) in new {
        let within = kept.remove(&key).filter(|_| key == "Config");
        kept.insert(key, over(optional, within, value));
    }
    kept.into()
}

fn bands_of(domain: &DomainSpec) -> DomainBands {
    DomainBands {
        bands: domain.normalizer.bands(),
        min: Some(domain.normalizer.min().to_vec()),
        max: Some(domain.normalizer.max().to_vec()),
        // arcgis.learn does not always compute them.
        mean: (!domain.mean.is_empty()).then(|| domain.mean.clone()),
        std: (!domain.std.is_empty()).then(|| domain.std.clone()),
    }
}

/// Reads our section; without it, derives it from arcgis.learn's keys and the shapes of the weights.
fn extra<M: Model>(emd: &Emd, weights: &[(String, Tensor)]) -> Result<GeolearnSection<M::Config>> {
    let extra: GeolearnSection<M::Config> = match &emd.geolearn {
        Some(section) => serde_json::from_value(section.clone()).map_err(|e| {
            let error = Error::new(ErrorKind::Format, "key `Geolearn` has a wrong value").because(e);
            match section.get("Version").and_then(|version| version.as_str()) {
                Some(version) if version != env!("CARGO_PKG_VERSION") => error.help(format!(
                    "It was written by geolearn {}, and this is {}: a newer release may read it.",
                    version.escape_debug(),
                    env!("CARGO_PKG_VERSION")
                )),
                _ => error,
            }
        })?,
        None => GeolearnSection {
            // Checked here, because our own section has a choice of bands for each domain.
            version: plain_bands(emd).map(|()| String::new())?,
            config: M::config_of_arcgis(emd, weights)?,
            history: History::default(),
            domains: None,
            metrics: None,
            untrained: None,
        },
    };
    let GeolearnSection { config, history, .. } = &extra;
    let unsound = || Error::new(ErrorKind::Format, "model definition holds values that no model can have");
    M::check(config).map_err(|e| unsound().because(e))?;
    if !history.is_sound() {
        return Err(unsound()
            .expected("a history of finite losses")
            .help("Set Geolearn.History.epochs to [] to load the model without its history."));
    }
    Ok(extra)
}

/// arcgis.learn writes all bands or null; its behavior for other lists is unknown.
fn plain_bands(emd: &Emd) -> Result<()> {
    let list = emd.extract_bands.as_deref().unwrap_or_default();
    if list.iter().enumerate().all(|(place, &band)| place == band) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "key `ExtractBands` chooses among bands")
        .expected("null, or all of them in order")
        .found(format!("{list:?}"))
        .help("Set it to null, and give images of just these bands in this order."))
}

fn facts(bands: &DomainBands, told: DomainSection) -> Result<DomainSpec> {
    let need = |list: &Option<Vec<f64>>, name: &str| {
        list.clone()
            .ok_or_else(|| Error::new(ErrorKind::Format, format!("key `{name}` is missing from the statistics")))
    };
    let (min, max) = (need(&bands.min, "band_min_values")?, need(&bands.max, "band_max_values")?);
    let unsound = || Error::new(ErrorKind::Format, "statistics of the model definition cannot be used");
    let normalizer = Normalizer::new(min, max, told.channels).map_err(|e| unsound().because(e))?;
    let facts = DomainSpec {
        normalizer: normalizer.with_values(told.values),
        mean: bands.mean.clone().unwrap_or_default(),
        std: bands.std.clone().unwrap_or_default(),
        chip: told.chip,
        selection: told.selection,
        band_names: told.band_names,
        band_scales: told.band_scales,
    };
    facts.check().map_err(|e| unsound().because(e))?;
    Ok(facts)
}
