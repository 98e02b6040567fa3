//! Saves and loads models as folders in arcgis.learn's format.

use std::path::{Path, PathBuf};
use std::time::Instant;

use tch::Tensor;

use super::definition::{self, ParsedDefinition};
use super::learner::{Learner, check_direction};
use super::load_options::LoadOptions;
use super::model::{Model, Start};
use super::predictor::Predictor;
use super::{card, pictures, report, stac, weights};
use crate::dataset::{DataBunch, Domain, DomainSpec, Normalizer, PerDomain};
use crate::device::Device;
use crate::error::{Error, ErrorKind, Result};
use crate::evaluation::Metrics;
use crate::ffi;
use crate::models::kinds::KNOWN;
use crate::nn::{Initializer, Network, load_parameters};
use crate::package::emd::{Emd, Opening, Reach};
use crate::package::{folder, keys, safetensors};
use crate::random::Seed;
use crate::train::History;

/// A saved model after reading.
pub(super) struct Saved<C> {
    pub config: C,
    pub history: History,
    pub domains: PerDomain<DomainSpec>,
    pub weights: Vec<(String, Tensor)>,
    pub definition: Emd,
    pub metrics: Option<Metrics>,
    pub untrained: Option<Domain>,
}

impl<M: Model> Learner<M> {
    /// Saves the model as a folder that opens here, in arcgis.learn and ArcGIS Pro, and in PyTorch. Returns the folder.
    ///
    /// | File | Holds |
    /// |---|---|
    /// | `<name>.pth` | the weights, as `torch.save` writes a state dict |
    /// | `<name>.emd` | everything else, as Esri's model definition; this crate's own part under `Geolearn` |
    /// | `<name>.dlpk` | all the other files in one, for ArcGIS |
    /// | `model_metrics.html` | what the model is, its losses and samples, for people |
    /// | `README.md` | the model's card: domains, bands, ranges, units, data, scores, and how to use it; one that you wrote or took over by removing its first line stays |
    /// | `model.stac.json` | an item for STAC catalogs, by the extension MLM |
    /// | `ModelCharacteristics/*.png` | the same pictures: `loss_graph.png`, and with data `show_results.png` |
    ///
    /// A path such as `models/sat2map` is the folder, and its last part is the name of the files; a bare name stands
    /// for `models/<name>` in the data's working folder. If the model was loaded, unknown keys of its `.emd` are kept.
    /// arcgis.learn builds its networks with 64 features and the same number of channels for both domains
    /// ([`Channels::Shared`](crate::dataset::Channels::Shared)), those of CycleGAN with transposed convolutions and one
    /// discriminator for each domain, and Pix2Pix as a U-Net of 8 levels for chips in multiples of 256 pixels. It
    /// cannot open other models, and a warning says so.
    ///
    /// If there is a [running mean](crate::models::cyclegan::CycleGanBuilder::average_half_life) of the generators'
    /// weights, the `.pth` contains the mean, and a fit of the loaded model starts from it. A checkpoint contains both.
    /// Weights of discriminators with [spectral norms](crate::models::cyclegan::CycleGanBuilder::spectral_norm) are
    /// divided by these.
    ///
    /// ```
    /// use geolearn::CycleGan;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let models = folder.path().join("models");
    /// let folder = model.save(models.join("copy"))?;
    /// for file in ["copy.pth", "copy.emd", "copy.dlpk", "model_metrics.html", "README.md", "model.stac.json"] {
    ///     assert!(folder.join(file).is_file());
    /// }
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// All files are written under temporary names before the first one is renamed, so a save that fails leaves the
    /// older model intact. The same is true if the process is killed: the folder opens as the older or the newer model,
    /// and the next save removes leftovers. Concurrent saves to one folder take turns.
    ///
    /// # Errors
    /// `Usage` for an invalid name, `Io` if the folder cannot be written, `Limits` for a model that could not be opened
    /// again.
    pub fn save(&self, name_or_path: impl AsRef<Path>) -> Result<PathBuf> {
        let started = Instant::now();
        let place = folder::Place::to_save(root(self.data.as_ref()), name_or_path.as_ref())?;
        let weights = self.model.saved_parameters()?;
        let tensors: Vec<(String, &Tensor)> = weights.iter().map(|(name, t)| (name.clone(), t)).collect();
        let pictures = pictures::draw(self);
        folder::save(
            &place,
            &folder::Contents {
                emd: &self.definition(&place.pth_name()).map_err(|e| e.at(&place.folder))?,
                tensors: &tensors,
                modules: &keys::modules(&self.model.plans()),
                report: &report::html(self, &place.name, &pictures),
                texts: &[
                    (folder::ITEM, stac::item(self, &place.name)),
                    (folder::CARD, format!("{}\n{}", folder::CARD_MARK, card::markdown(self, &place.name))),
                ],
                pictures: &pictures.files(),
            },
        )?;
        let (tensors, epochs, seconds) = (tensors.len(), self.history.epochs().len(), started.elapsed().as_secs_f64());
        tracing::info!(path = %place.folder.display(), tensors, epochs, seconds, "model saved");
        if let Some(what) = M::beyond_arcgis(self.config(), &self.domains) {
            tracing::warn!(folder = %place.folder.display(), what, "arcgis.learn cannot open this model");
        }
        Ok(place.folder)
    }

    /// Opens a model from its folder, its `.emd`, `.pth` or `.dlpk`, saved here or by arcgis.learn, or from its
    /// `.safetensors` (see [`save_safetensors`](Self::save_safetensors)). It uses the first CUDA device that is
    /// available, or else the CPU.
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
    /// Without `data` the model can only predict; with data it can also be trained. The data is then scaled with the
    /// model's own statistics, on which its weights depend. Optimizers start over; the optimizer state that
    /// arcgis.learn saves is ignored.
    ///
    /// Nothing in these files is executed: a `.pth` is read as data, a `.dlpk` is unpacked within limits to a temporary
    /// folder, and an `.emd` cannot point outside its own folder.
    ///
    /// # Errors
    /// `Layout` if there is no model, listing what is there; `Format` for damaged files; `Unsupported` for those that
    /// contain more than a model's weights; `Limits` for those that would expand beyond 8 GiB; `Usage` if data and
    /// model differ in bands.
    pub fn from_model(path: impl AsRef<Path>, data: Option<&DataBunch>) -> Result<Self> {
        let options = LoadOptions::new();
        Self::from_model_with(path, data.map_or(options.clone(), |data| options.data(data)))
    }

    /// Opens a model like [`from_model`](Self::from_model), with options.
    ///
    /// ```
    /// use geolearn::models::LoadOptions;
    /// use geolearn::{CycleGan, Device};
    ///
    /// let model = CycleGan::from_model_with("assets/models/sat2relief", LoadOptions::new().device(Device::Cpu))?;
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`from_model`](Self::from_model), and `Device` for a device that cannot be used.
    pub fn from_model_with(path: impl AsRef<Path>, options: LoadOptions) -> Result<Self> {
        let path = path.as_ref();
        let saved = read::<M>(root(options.data.as_ref()), path, options.reach())?;
        Self::of_saved(saved, options).map_err(|e| e.at(path))
    }

    /// Opens a model from the bytes of a `.dlpk` or a `.safetensors`, for services that keep their models elsewhere; no
    /// file is created.
    ///
    /// ```
    /// use geolearn::CycleGan;
    /// use geolearn::models::LoadOptions;
    ///
    /// let model = CycleGan::from_model("assets/models/sat2relief", None)?;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("sat2relief.safetensors");
    /// model.save_safetensors(&path)?;
    /// let bytes = std::fs::read(&path)?;
    /// let same = CycleGan::from_bytes(&bytes, LoadOptions::new())?;
    /// assert_eq!(same.config(), model.config());
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`from_model_with`](Self::from_model_with).
    pub fn from_bytes(bytes: &[u8], options: LoadOptions) -> Result<Self> {
        read_bytes::<M>(bytes).and_then(|saved| Self::of_saved(saved, options)).map_err(Error::in_memory)
    }

    fn of_saved(saved: Saved<M::Config>, options: LoadOptions) -> Result<Self> {
        options.check_whole_model()?;
        let data = options.data.map(|data| data.scaled_as(saved.scalings())).transpose()?;
        let device = options.device.resolve()?;
        let mut learner = Self::assemble((saved.config, Start::Zeros), saved.domains, data, device)?;
        learner.model.load(&saved.weights)?;
        learner.history = saved.history;
        learner.definition = Some(saved.definition);
        learner.metrics = saved.metrics;
        learner.untrained = saved.untrained;
        learner.with_batch_size_settled()
    }

    /// Opens the generator that makes images of domain `to` from a saved model, for programs that only translate: no
    /// other network is loaded, and threads can share it. Paths are those of [`from_model`](Self::from_model).
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
    /// Like [`from_model`](Self::from_model), `Device` for a device that cannot be used, `Usage` for a generator that
    /// was never trained.
    pub fn open_predictor(path: impl AsRef<Path>, to: Domain, device: Device) -> Result<Predictor> {
        let path = path.as_ref();
        let saved = read::<M>(root(None), path, Reach::Folder)?;
        predictor_of::<M>(saved, to, device).map_err(|e| e.at(path))
    }

    /// Opens a generator from the bytes of a `.dlpk` or a `.safetensors`; see [`open_predictor`](Self::open_predictor)
    /// and [`from_bytes`](Self::from_bytes).
    ///
    /// ```
    /// use geolearn::{CycleGan, Device, Domain};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("sat2relief.safetensors");
    /// CycleGan::from_model("assets/models/sat2relief", None)?.save_safetensors(&path)?;
    /// let bytes = std::fs::read(&path)?;
    /// let predictor = CycleGan::predictor_from_bytes(&bytes, Domain::B, Device::Auto)?;
    /// assert_eq!(predictor.predict("assets/bluemarble/A/images/y0300_x0900.png")?.bands(), 3);
    /// # Ok::<(), geolearn::Error>(())
    /// ```
    ///
    /// # Errors
    /// Like [`open_predictor`](Self::open_predictor).
    pub fn predictor_from_bytes(bytes: &[u8], to: Domain, device: Device) -> Result<Predictor> {
        read_bytes::<M>(bytes).and_then(|saved| predictor_of::<M>(saved, to, device)).map_err(Error::in_memory)
    }
}

fn predictor_of<M: Model>(saved: Saved<M::Config>, to: Domain, device: Device) -> Result<Predictor> {
    check_direction::<M>(saved.untrained, to)?;
    M::check_domains(&saved.config, &saved.domains)?;
    let (name, plan) = M::generator_plan(&saved.config, saved.channels(), to);
    let device = device.resolve()?;
    let init = Initializer { seed: Seed(0), scheme: None, device: device.torch(), kind: tch::Kind::Float };
    let generator = Network::new(name, plan, &init)?;
    let mut weights = saved.weights;
    weights.retain(|(key, _)| key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')));
    load_parameters(&generator.parameters(), &weights)?;
    let PerDomain { a, b } = saved.domains;
    let (from, made) = if to == Domain::B { (a, b) } else { (b, a) };
    Predictor::new(generator, from, (to, made), device)
}

/// Returns the folder for models that are given by name only.
pub(super) fn root(data: Option<&DataBunch>) -> &Path {
    data.map_or(Path::new("."), DataBunch::working_dir)
}

impl<C> Saved<C> {
    fn channels(&self) -> PerDomain<usize> {
        PerDomain::from_fn(|domain| self.domains.get(domain).normalizer.channels())
    }

    pub fn scalings(&self) -> PerDomain<Normalizer> {
        PerDomain::from_fn(|domain| self.domains.get(domain).normalizer.clone())
    }
}

/// Describes this kind of model for opening, with the other kinds for advice.
fn opening<M: Model>(reach: Reach) -> Opening {
    Opening { kind: M::KIND, known: KNOWN, reach }
}

pub(super) fn read<M: Model>(root: &Path, path: &Path, reach: Reach) -> Result<Saved<M::Config>> {
    ffi::allowed();
    let (emd, weights) = if safetensors::is_named(path) && path.is_file() {
        weights::bundle(path, opening::<M>(Reach::Folder))?
    } else {
        from_folder(root, path, opening::<M>(reach))?
    };
    checked::<M>(emd, weights).map_err(|e| e.at(path))
}

/// Reads a `.dlpk` or a `.safetensors` in memory.
fn read_bytes<M: Model>(bytes: &[u8]) -> Result<Saved<M::Config>> {
    ffi::allowed();
    let (emd, weights) = if safetensors::is_begun_by(bytes) {
        weights::bundle_of_bytes(bytes, opening::<M>(Reach::Folder))?
    } else {
        let folder::Opened { emd, tensors } = folder::open_package(bytes, opening::<M>(Reach::Folder))?;
        (emd, tensors)
    };
    checked::<M>(emd, weights)
}

fn checked<M: Model>(definition: Emd, weights: Vec<(String, Tensor)>) -> Result<Saved<M::Config>> {
    let ParsedDefinition { config, history, domains, metrics, untrained } =
        definition::read::<M>(&definition, &weights)?;
    let channels = PerDomain::from_fn(|domain| domains.get(domain).normalizer.channels());
    check_parameters::<M>(&config, channels, &weights)?;
    Ok(Saved { config, history, domains, weights, definition, metrics, untrained })
}

fn from_folder(root: &Path, path: &Path, opening: Opening) -> Result<(Emd, Vec<(String, Tensor)>)> {
    let folder::Opened { emd, tensors } = folder::find(root, path)?.open(opening)?;
    Ok((emd, tensors))
}

/// Checks the weights before anything is allocated for the networks.
fn check_parameters<M: Model>(
    config: &M::Config,
    channels: PerDomain<usize>,
    weights: &[(String, Tensor)],
) -> Result<()> {
    let found: u128 = weights.iter().map(|(_, t)| t.numel() as u128).sum();
    if M::parameter_count(config, channels) == found {
        return Ok(());
    }
    let PerDomain { a, b } = channels;
    // Networks of about the size of the weights can be built to find out where they differ.
    let near = M::parameter_count(config, channels) <= found.saturating_mul(4).saturating_add(1 << 20);
    if near {
        let load = M::build(config.clone(), channels, tch::Device::Cpu, Start::Zeros)
            .and_then(|mut model| model.load(weights));
        if let Err(first) = load {
            return Err(Error::new(ErrorKind::Format, "weights and model definition do not match").because(first));
        }
    }
    Err(Error::new(ErrorKind::Format, "weights and model definition do not match")
        .expected(format!("the parameters of a model of {a} and {b} channels"))
        .found(format!("{found} parameters")))
}
