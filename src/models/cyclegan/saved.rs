//! Saving and loading in the folder form of arcgis.learn.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tch::Tensor;

use super::networks::Networks;
use super::report;
use super::step::{LOSS_NAMES, METRIC_NAMES, Optimisers};
use super::{CycleGan, CycleGanConfig, DomainFacts, weights};
use crate::dataset::{DataBunch, Domain, MOST_CHANNELS, MixedBands, Normaliser, PerDomain, Selection, Values};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::loss::AdversarialLoss;
use crate::package::emd::{DomainBands, Emd, INFERENCE_FUNCTION, Reach};
use crate::package::{folder, keys, safetensors};
use crate::raster::Dtype;
use crate::train::History;

/// What arcgis.learn's keys have no place for.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Extra {
    /// The release of this crate that wrote the file.
    version: String,
    config: CycleGanConfig,
    history: History,
    /// Absent from files of before there were bands to choose and types other than bytes.
    #[serde(default)]
    domains: Option<PerDomain<DomainExtra>>,
    /// The domain whose images no generator makes yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    untrained: Option<Domain>,
}

/// What they have no place for in one domain.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DomainExtra {
    values: Values,
    channels: usize,
    selection: Selection,
    band_names: Vec<Option<String>>,
    /// Height and width.
    chip: (usize, usize),
}

impl DomainExtra {
    fn of(facts: &DomainFacts) -> Self {
        Self {
            values: facts.normaliser.values(),
            channels: facts.normaliser.channels(),
            selection: facts.selection.clone(),
            band_names: facts.band_names.clone(),
            chip: facts.chip,
        }
    }

    /// What arcgis.learn's models are: both domains of one number of channels; multispectral ones of real numbers.
    fn of_arcgis(emd: &Emd, bands: usize) -> Self {
        let dtype = if emd.multispectral { Dtype::F32 } else { Dtype::U8 };
        Self {
            values: Values { dtype, ..Values::BYTES },
            channels: emd.channels(),
            selection: Selection::all(bands),
            band_names: vec![None; bands],
            chip: (emd.image_height, emd.image_width),
        }
    }

    fn is_sound(&self, bands: usize) -> bool {
        self.band_names.len() == bands && self.selection.is_sound(bands)
    }
}

/// A model as it was read.
struct Saved {
    config: CycleGanConfig,
    history: History,
    domains: PerDomain<DomainFacts>,
    weights: Vec<(String, Tensor)>,
    definition: Emd,
    untrained: Option<Domain>,
}

/// How [`CycleGan::from_model_with`] opens a model.
///
/// | Name | Default | Purpose |
/// |---|---|---|
/// | `data` | none | data to train and to show results on; scaled by the model's own statistics |
/// | `device` | [`Device::Auto`] | where to compute |
/// | `weights_anywhere` | false | whether an `.emd` may name weights outside its own folder |
///
/// ```
/// use geolearn::{CycleGan, Device, LoadOptions};
///
/// let options = LoadOptions::new().device(Device::Cpu);
/// let model = CycleGan::from_model_with("assets/models/sat2relief", options)?;
/// assert_eq!(model.device().torch(), geolearn::tch::Device::Cpu);
/// # Ok::<(), geolearn::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct LoadOptions {
    data: Option<DataBunch>,
    device: Device,
    weights_anywhere: bool,
}

impl LoadOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Data to train and to show results on.
    pub fn data(mut self, data: &DataBunch) -> Self {
        self.data = Some(data.clone());
        self
    }

    /// Where to compute.
    pub fn device(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// Lets the definition name weights by an absolute path or above its folder. For files whose origin you trust:
    /// what is at that path is opened and read, as a `.pth` and with the same limits as ever.
    pub fn weights_anywhere(mut self, allowed: bool) -> Self {
        self.weights_anywhere = allowed;
        self
    }

    fn reach(&self) -> Reach {
        if self.weights_anywhere { Reach::Anywhere } else { Reach::Folder }
    }
}

impl CycleGan {
    /// Saves the model as a folder that opens here, in arcgis.learn and ArcGIS Pro, and in PyTorch. Gives the folder.
    ///
    /// | File | Holds |
    /// |---|---|
    /// | `<name>.pth` | the weights, as `torch.save` writes a state dict |
    /// | `<name>.emd` | everything else, as Esri's model definition; this crate's own part under `Geolearn` |
    /// | `<name>.dlpk` | all the other files in one, for ArcGIS |
    /// | `model_metrics.html` | what the model is, its losses and samples, for people |
    /// | `ModelCharacteristics/*.png` | the same pictures: `loss_graph.png`, and with data `show_results.png` |
    ///
    /// A path such as `models/sat2map` is the folder, and its last part the files' name; a bare name stands for
    /// `models/<name>` in the data's working folder. Of a model that was loaded, keys of its `.emd` that mean nothing
    /// here are kept. arcgis.learn builds its networks with 64 features and one number of channels for both domains
    /// ([`Channels::Shared`](crate::Channels::Shared)): models of other shapes it cannot open.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let models = folder.path().join("models");
    /// let folder = model.save(models.join("copy"))?;
    /// for file in ["copy.pth", "copy.emd", "copy.dlpk", "model_metrics.html", "ModelCharacteristics/loss_graph.png"] {
    ///     assert!(folder.join(file).is_file());
    /// }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// All files are written beside their places before the first is renamed into it, so a save that fails leaves
    /// the older model whole. So does a process that is killed: the folder opens as the older or the newer model, and
    /// the next save removes what was left. Saves at the same time into one folder take turns.
    ///
    /// # Errors
    /// `Usage` for something that cannot be a name, `Io` when the folder cannot be written, `Limits` for a model that
    /// could not be opened again.
    pub fn save(&self, name_or_path: impl AsRef<Path>) -> Result<PathBuf> {
        let place = folder::Place::to_save(root(self.data.as_ref()), name_or_path.as_ref())?;
        let weights = self.nets.parameters();
        let tensors: Vec<(String, &Tensor)> = weights.iter().map(|(name, t)| (name.clone(), t)).collect();
        let pictures = report::pictures(self);
        folder::save(
            &place,
            &folder::Contents {
                emd: &self.definition(&place.pth_name())?,
                tensors: &tensors,
                modules: &keys::cyclegan_modules(self.config.gen_blocks),
                report: &report::html(self, &place.name, &pictures),
                pictures: &pictures.files(),
            },
        )?;
        Ok(place.folder)
    }

    /// Takes over weights, scaling and history of a saved model of the same architecture. Optimisers and image
    /// pools start anew; loss weights and the form of the adversarial loss stay as this model was built.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let mut model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// model.load("assets/models/sat2relief")?;
    /// assert!(model.load("assets/models").is_err());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Layout` when no model is there, listing what is; `Format` for damaged files; `Usage` when the
    /// architecture differs, naming the first tensor that does. The model is then unchanged.
    pub fn load(&mut self, name_or_path: impl AsRef<Path>) -> Result<()> {
        let path = name_or_path.as_ref();
        let saved = read(root(self.data.as_ref()), path, Reach::Folder)?;
        let data =
            self.data.as_ref().map(|data| data.scaled_as(saved.scalings())).transpose().map_err(|e| e.at(path))?;
        let mut optimisers = Optimisers::new(&self.nets, self.config.pool_size)?;
        optimisers.freeze_encoders(self.frozen);
        // The last thing that can fail, and it changes nothing when it does.
        self.nets.load(&saved.weights).map_err(|e| e.at(path))?;
        self.optimisers = optimisers;
        self.domains = saved.domains;
        self.history = saved.history;
        self.definition = Some(saved.definition);
        self.untrained = saved.untrained;
        self.data = data;
        Ok(())
    }

    /// A model from its folder, its `.emd`, `.pth` or `.dlpk`, saved here or by arcgis.learn, or from its
    /// `.safetensors` (see [`save_safetensors`](Self::save_safetensors)); on the first CUDA device that can be used,
    /// else the processor.
    ///
    /// ```
    /// use geolearn::{CycleGan, DatasetType, prepare_data};
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// println!("{} epochs, {:?}", model.history().epochs().len(), model.config());
    /// let data = prepare_data("assets/bluemarble", DatasetType::CycleGan)?;
    /// let model = CycleGan::from_model("assets/models/sat2relief", Some(&data))?;
    /// assert!(model.show_results(1).is_ok());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// Without `data` it predicts; with data it can also be trained on. The data is then scaled by the model's
    /// own statistics, on which its weights depend. Optimisers begin anew; what arcgis.learn saves of its own is left
    /// out.
    ///
    /// Nothing in these files is run: a `.pth` is read as data, a `.dlpk` is unpacked within limits to a temporary
    /// folder, an `.emd` cannot point outside its own.
    ///
    /// # Errors
    /// `Layout` when no model is there, listing what is; `Format` for damaged files; `Unsupported` for those that hold
    /// more than a model's weights; `Limits` for those that would swell beyond 8 GiB; `Usage` when data and model
    /// differ in bands.
    pub fn from_model(path: impl AsRef<Path>, data: Option<&DataBunch>) -> Result<Self> {
        Self::from_model_with(path, LoadOptions { data: data.cloned(), ..LoadOptions::default() })
    }

    /// As [`from_model`](Self::from_model), with options.
    ///
    /// # Errors
    /// As [`from_model`](Self::from_model), and `Device` for a device that cannot be used.
    pub fn from_model_with(path: impl AsRef<Path>, options: LoadOptions) -> Result<Self> {
        let path = path.as_ref();
        let saved = read(root(options.data.as_ref()), path, options.reach())?;
        let data = options.data.map(|data| data.scaled_as(saved.scalings())).transpose().map_err(|e| e.at(path))?;
        let device = options.device.resolve()?;
        let nets = Networks::blank(&saved.config, saved.channels(), device.torch())?;
        nets.load(&saved.weights).map_err(|e| e.at(path))?;
        let mut model = Self::assemble(nets, saved.config, saved.domains, data, device)?;
        model.history = saved.history;
        model.definition = Some(saved.definition);
        model.untrained = saved.untrained;
        model.with_batch_size_settled()
    }

    /// Takes over the weights of a saved model of the same architecture, and nothing else.
    pub(super) fn begin_with(&self, path: &Path) -> Result<()> {
        let saved = read(root(self.data.as_ref()), path, Reach::Folder)?;
        self.nets.load(&saved.weights).map_err(|e| {
            e.at(path)
                .help("A model begins with the weights of another only when gen_blocks, features and bands agree.")
        })
    }

    pub(super) fn definition(&self, model_file: &str) -> Result<Emd> {
        let mut emd = self.definition_to_begin_with(model_file);
        emd.gen_blocks = self.config.gen_blocks;
        emd.lsgan = self.config.adversarial == AdversarialLoss::LeastSquares;
        if !self.history.epochs().is_empty() {
            // The rate before it began to fall.
            emd.learning_rate = self.history.epochs().iter().map(|epoch| epoch.lr).reduce(f64::max);
            emd.valid_loss = self.history.last("valid_loss").map(Into::into);
        }
        let extra = Extra {
            version: env!("CARGO_PKG_VERSION").to_string(),
            config: self.config.clone(),
            history: self.history.clone(),
            domains: Some(PerDomain::from_fn(|domain| DomainExtra::of(self.domain(domain)))),
            untrained: self.untrained,
        };
        let failed = |e| Error::new(ErrorKind::Format, "model definition cannot be written").because(e);
        emd.geolearn = Some(over(emd.geolearn.take(), serde_json::to_value(extra).map_err(failed)?));
        Ok(emd)
    }

    /// What the model was loaded with, so that nothing of it is lost; else what its data say.
    fn definition_to_begin_with(&self, model_file: &str) -> Emd {
        let [a, b] = Domain::BOTH.map(|domain| bands_of(self.domain(domain)));
        if let Some(loaded) = &self.definition {
            let mut emd = loaded.clone();
            emd.model_file = model_file.to_owned();
            // A script that lay beside it does not lie here.
            emd.inference_function = INFERENCE_FUNCTION.to_owned();
            (emd.domain_a, emd.domain_b) = (a, b);
            return emd;
        }
        let plain = |domain| {
            let DomainFacts { normaliser, selection, .. } = self.domain(domain);
            let all = (selection.of, selection.bands.as_slice()) == (3, &[0, 1, 2]);
            normaliser.dtype() == Dtype::U8 && (all || selection.mixed == MixedBands::Rgb)
        };
        let rgb = Domain::BOTH.into_iter().all(plain);
        let mut emd = Emd::new(model_file, a, b, !rgb);
        let (height, width) = self.domain(Domain::A).chip;
        emd.image_height = height;
        emd.image_width = width;
        emd.resize_to = height.into();
        if let Some(sizes) = self.data.as_ref().and_then(DataBunch::cell_sizes) {
            emd.set_cell_sizes(sizes);
        }
        // As arcgis.learn has it: its statistics, too, would be picked by these. Our own choice stands in `Geolearn`.
        emd.extract_bands = rgb.then(|| vec![0, 1, 2]);
        emd
    }
}

/// Our section over the one that was loaded, of which keys that only another release knows live on.
fn over(loaded: Option<Value>, section: Value) -> Value {
    let (mut kept, new) = match (loaded, section) {
        (Some(Value::Object(kept)), Value::Object(new)) => (kept, new),
        (_, section) => return section,
    };
    // What may be absent must not come back.
    kept.retain(|key, _| !["Domains", "Untrained"].contains(&key.as_str()));
    for (key, value) in new {
        let within = kept.remove(&key).filter(|_| key == "Config");
        kept.insert(key, over(within, value));
    }
    kept.into()
}

/// Where models that are given by name alone lie.
fn root(data: Option<&DataBunch>) -> &Path {
    data.map_or(Path::new("."), DataBunch::working_dir)
}

fn bands_of(domain: &DomainFacts) -> DomainBands {
    DomainBands {
        bands: domain.normaliser.bands(),
        min: Some(domain.normaliser.min().to_vec()),
        max: Some(domain.normaliser.max().to_vec()),
        // arcgis.learn does not always gather them.
        mean: (!domain.mean.is_empty()).then(|| domain.mean.clone()),
        std: (!domain.std.is_empty()).then(|| domain.std.clone()),
    }
}

impl Saved {
    fn channels(&self) -> PerDomain<usize> {
        PerDomain::from_fn(|domain| self.domains.get(domain).normaliser.channels())
    }

    fn scalings(&self) -> PerDomain<Normaliser> {
        PerDomain::from_fn(|domain| self.domains.get(domain).normaliser.clone())
    }
}

fn read(root: &Path, path: &Path, reach: Reach) -> Result<Saved> {
    let (emd, weights) = if safetensors::is_named(path) && path.is_file() {
        weights::bundle(path)?
    } else {
        from_folder(root, path, reach)?
    };
    let Extra { config, history, domains, untrained, .. } = extra(&emd, &weights).map_err(|e| e.at(path))?;
    let stated = PerDomain { a: &emd.domain_a, b: &emd.domain_b };
    let told =
        domains.unwrap_or_else(|| PerDomain::from_fn(|domain| DomainExtra::of_arcgis(&emd, stated.get(domain).bands)));
    let PerDomain { a, b } = told;
    check_parameters(&config, PerDomain { a: a.channels, b: b.channels }, &weights).map_err(|e| e.at(path))?;
    let facts = |bands: &DomainBands, told| facts(bands, told).map_err(|e| e.at(path));
    let domains = PerDomain { a: facts(stated.a, a)?, b: facts(stated.b, b)? };
    Ok(Saved { config, history, domains, weights, definition: emd, untrained })
}

fn from_folder(root: &Path, path: &Path, reach: Reach) -> Result<(Emd, Vec<(String, Tensor)>)> {
    let folder::Opened { emd, tensors } = folder::find(root, path)?.open(reach)?;
    Ok((emd, tensors))
}

/// Our own section, else what follows from what arcgis.learn writes and the shapes of the weights.
fn extra(emd: &Emd, weights: &[(String, Tensor)]) -> Result<Extra> {
    let extra = match &emd.geolearn {
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
        None => Extra {
            // Checked here, since our own section has a choice of bands for each domain.
            version: plain_bands(emd).map(|()| String::new())?,
            config: arcgis_configuration(emd, weights)?,
            history: History::default(),
            domains: None,
            untrained: None,
        },
    };
    let Extra { config, history, .. } = &extra;
    let unsound = || Error::new(ErrorKind::Format, "model definition holds values that no model has");
    config.check().map_err(|e| unsound().because(e))?;
    if !history.is_sound(LOSS_NAMES, METRIC_NAMES) {
        return Err(unsound()
            .expected("a history of finite losses")
            .help("Set Geolearn.History.epochs to [] to load the model without its history."));
    }
    Ok(extra)
}

/// arcgis.learn writes all bands, or null; what it would make of another list nobody knows.
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

/// Before anything is allocated for the networks.
fn check_parameters(config: &CycleGanConfig, channels: PerDomain<usize>, weights: &[(String, Tensor)]) -> Result<()> {
    let sound = |channels: usize| (1..=MOST_CHANNELS).contains(&channels);
    let found: u128 = weights.iter().map(|(_, t)| t.numel() as u128).sum();
    if sound(channels.a) && sound(channels.b) && config.parameter_count(channels) == found {
        return Ok(());
    }
    let PerDomain { a, b } = channels;
    // Networks of about the size of the weights can be made to see where they differ.
    let near = config.parameter_count(channels) <= found.saturating_mul(4).saturating_add(1 << 20);
    if sound(channels.a) && sound(channels.b) && near {
        let load = Networks::blank(config, channels, tch::Device::Cpu).and_then(|nets| nets.load(weights));
        if let Err(first) = load {
            return Err(Error::new(ErrorKind::Format, "weights and model definition do not fit").because(first));
        }
    }
    Err(Error::new(ErrorKind::Format, "weights and model definition do not fit")
        .expected(format!("the parameters of a model of {a} and {b} channels"))
        .found(format!("{found} parameters")))
}

fn arcgis_configuration(emd: &Emd, weights: &[(String, Tensor)]) -> Result<CycleGanConfig> {
    let adversarial = if emd.lsgan { AdversarialLoss::LeastSquares } else { AdversarialLoss::BinaryCrossEntropy };
    Ok(CycleGanConfig {
        gen_blocks: emd.gen_blocks,
        gen_features: first_features(weights, "G_A.1.weight")?,
        disc_features: first_features(weights, "D_A.0.weight")?,
        adversarial,
        pool_size: 0,
        ..CycleGanConfig::default()
    })
}

fn first_features(weights: &[(String, Tensor)], name: &str) -> Result<usize> {
    let size = weights.iter().find(|(other, _)| other == name).and_then(|(_, t)| t.size().first().copied());
    size.and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| Error::new(ErrorKind::Format, format!("tensor {name} is missing from the weights")))
}

fn facts(bands: &DomainBands, told: DomainExtra) -> Result<DomainFacts> {
    let need = |list: &Option<Vec<f64>>, name: &str| {
        list.clone()
            .ok_or_else(|| Error::new(ErrorKind::Format, format!("key `{name}` is missing from the statistics")))
    };
    let (min, max) = (need(&bands.min, "band_min_values")?, need(&bands.max, "band_max_values")?);
    let unsound = || Error::new(ErrorKind::Format, "statistics of the model definition cannot be used");
    if !told.is_sound(bands.bands) {
        return Err(unsound().expected(format!("a choice of {} bands", bands.bands)));
    }
    let normaliser = Normaliser::new(min, max, told.channels).map_err(|e| unsound().because(e))?;
    Ok(DomainFacts {
        normaliser: normaliser.with_values(told.values),
        mean: bands.mean.clone().unwrap_or_default(),
        std: bands.std.clone().unwrap_or_default(),
        chip: told.chip,
        selection: told.selection,
        band_names: told.band_names,
    })
}
