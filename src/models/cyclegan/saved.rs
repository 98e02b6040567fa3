//! Saving and loading in the folder form of arcgis.learn.

use std::path::{Path, PathBuf};

use tch::Tensor;

use super::definition::{self, Read};
use super::networks::Networks;
use super::report;
use super::{CycleGan, CycleGanConfig, DomainFacts, Predictor, check_trained, weights};
use crate::dataset::{DataBunch, Domain, Normaliser, PerDomain};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::evaluation::Metrics;
use crate::nn::{Initialiser, Network, load_parameters};
use crate::package::emd::{Emd, Reach};
use crate::package::{folder, keys, safetensors};
use crate::random::Seed;
use crate::train::History;

/// A model as it was read.
struct Saved {
    config: CycleGanConfig,
    history: History,
    domains: PerDomain<DomainFacts>,
    weights: Vec<(String, Tensor)>,
    definition: Emd,
    metrics: Option<Metrics>,
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
    /// ([`Channels::Shared`](crate::Channels::Shared)), with transposed convolutions and one discriminator for each: models of other shapes it cannot open,
    /// which a warning says.
    ///
    /// Where there is a [running mean](super::CycleGanBuilder::average_half_life) of the generators' weights, the `.pth`
    /// holds the mean: a fit of the model that is loaded again begins from it. A checkpoint holds both.
    /// Weights of discriminators with [spectral norms](super::CycleGanBuilder::spectral_norm) are divided by these.
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
        let weights = self.nets.saved_parameters()?;
        let tensors: Vec<(String, &Tensor)> = weights.iter().map(|(name, t)| (name.clone(), t)).collect();
        let pictures = report::pictures(self);
        folder::save(
            &place,
            &folder::Contents {
                emd: &self.definition(&place.pth_name()).map_err(|e| e.at(&place.folder))?,
                tensors: &tensors,
                modules: &keys::modules(&self.nets.plans()),
                report: &report::html(self, &place.name, &pictures),
                pictures: &pictures.files(),
            },
        )?;
        if let Some(what) = self.config.beyond_arcgis(self.channels()) {
            tracing::warn!(folder = %place.folder.display(), what, "arcgis.learn cannot open this model");
        }
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
        self.config.check_domains(&saved.domains).map_err(|e| e.at(path))?;
        let data =
            self.data.as_ref().map(|data| data.scaled_as(saved.scalings())).transpose().map_err(|e| e.at(path))?;
        // The last thing that can fail, and it changes nothing when it does.
        self.nets.load(&saved.weights).map_err(|e| e.at(path))?;
        self.optimisers = None;
        self.domains = saved.domains;
        self.history = saved.history;
        self.definition = Some(saved.definition);
        self.metrics = saved.metrics;
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
        model.metrics = saved.metrics;
        model.untrained = saved.untrained;
        model.with_batch_size_settled()
    }

    /// Takes the generator that makes images of domain `to` out of a saved model, for programs that only translate: it holds no
    /// other network, and threads may share it. Paths are those of [`from_model`](Self::from_model).
    ///
    /// ```
    /// use geolearn::{CycleGan, Device, Domain};
    ///
    /// let predictor = CycleGan::open_predictor("assets/models/sat2relief", Domain::B, Device::Auto)?;
    /// let relief = predictor.predict("assets/bluemarble/A/images/y0300_x0900.png")?;
    /// assert_eq!(relief.bands(), 3);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`from_model`](Self::from_model), `Device` for a device that cannot be used, `Usage` for a generator that was never
    /// trained.
    pub fn open_predictor(path: impl AsRef<Path>, to: Domain, device: Device) -> Result<Predictor> {
        let path = path.as_ref();
        let saved = read(root(None), path, Reach::Folder)?;
        check_trained(saved.untrained, to).map_err(|e| e.at(path))?;
        saved.config.check_domains(&saved.domains).map_err(|e| e.at(path))?;
        let channels = saved.channels();
        let plan = saved.config.generator_plan(*channels.get(to.other()), *channels.get(to));
        let prefix = if to == Domain::A { "G_A." } else { "G_B." };
        let init = Initialiser { seed: Seed(0), scheme: None, device: tch::Device::Cpu, kind: tch::Kind::Float };
        let generator = Network::new(prefix.trim_end_matches('.'), plan, &init)?;
        let mut weights = saved.weights;
        weights.retain(|(name, _)| name.starts_with(prefix));
        load_parameters(&generator.parameters(), &weights).map_err(|e| e.at(path))?;
        let PerDomain { a, b } = saved.domains;
        let (from, made) = if to == Domain::B { (a, b) } else { (b, a) };
        Predictor::new(&generator, from, (to, made), device.resolve()?)
    }

    /// Takes over the weights of a saved model of the same architecture, and nothing else.
    pub(super) fn begin_with(&self, path: &Path) -> Result<()> {
        let saved = read(root(self.data.as_ref()), path, Reach::Folder)?;
        self.nets.load(&saved.weights).map_err(|e| {
            e.at(path)
                .help("A model begins with the weights of another only when gen_blocks, features and bands agree.")
        })
    }
}

/// Where models that are given by name alone lie.
fn root(data: Option<&DataBunch>) -> &Path {
    data.map_or(Path::new("."), DataBunch::working_dir)
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
    let Read { config, history, domains, metrics, untrained } =
        definition::read(&emd, &weights).map_err(|e| e.at(path))?;
    let channels = PerDomain::from_fn(|domain| domains.get(domain).normaliser.channels());
    check_parameters(&config, channels, &weights).map_err(|e| e.at(path))?;
    Ok(Saved { config, history, domains, weights, definition: emd, metrics, untrained })
}

fn from_folder(root: &Path, path: &Path, reach: Reach) -> Result<(Emd, Vec<(String, Tensor)>)> {
    let folder::Opened { emd, tensors } = folder::find(root, path)?.open(reach)?;
    Ok((emd, tensors))
}

/// Before anything is allocated for the networks.
fn check_parameters(config: &CycleGanConfig, channels: PerDomain<usize>, weights: &[(String, Tensor)]) -> Result<()> {
    let found: u128 = weights.iter().map(|(_, t)| t.numel() as u128).sum();
    if config.parameter_count(channels) == found {
        return Ok(());
    }
    let PerDomain { a, b } = channels;
    // Networks of about the size of the weights can be made to see where they differ.
    let near = config.parameter_count(channels) <= found.saturating_mul(4).saturating_add(1 << 20);
    if near {
        let load = Networks::blank(config, channels, tch::Device::Cpu).and_then(|nets| nets.load(weights));
        if let Err(first) = load {
            return Err(Error::new(ErrorKind::Format, "weights and model definition do not fit").because(first));
        }
    }
    Err(Error::new(ErrorKind::Format, "weights and model definition do not fit")
        .expected(format!("the parameters of a model of {a} and {b} channels"))
        .found(format!("{found} parameters")))
}
