//! A minimal second kind of model, with one direction and a single convolution. If it needed changes elsewhere, that
//! would be a design fault.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use super::{Learner, LoadOptions, Model, Start};
use crate::dataset::{DataBunch, DatasetType, Domain, DomainSpec, PerDomain, PrepareData};
use crate::device::{Device, Precision};
use crate::error::{Error, ErrorKind, Result};
use crate::evaluation::MetricsOptions;
use crate::inference::RasterOptions;
use crate::metrics::{Better, Metric, MetricColumn};
use crate::models::cyclegan::CycleGan;
use crate::nn::{ConvShape, Initialization, Initializer, Layer, Network, Parameters, Plan, load_parameters};
use crate::optim::{Adam, Update};
use crate::package::emd::{Emd, ModelKind};
use crate::random::Seed;
use crate::raster::Raster;
use crate::train::{Callback, Checkpoint, EpochReport, FitOptions, Flow, MemoryEstimate, StepContext};

type OneWay = Learner<OneWayModel>;

static KIND: ModelKind = ModelKind {
    name: "OneWay",
    configuration: "_oneway",
    parameters: &[("kernel", None)],
    takes_any_tile: true,
    opened_by: "OneWay",
};
const NAME: &str = "G";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OneWayConfig {
    kernel: i64,
    seed: u64,
}

impl Default for OneWayConfig {
    fn default() -> Self {
        Self { kernel: 3, seed: 42 }
    }
}

#[derive(Debug)]
struct OneWayModel {
    config: OneWayConfig,
    generator: Network,
    optimizer: Option<Adam>,
    is_frozen: bool,
}

impl OneWayModel {
    fn loss(&self, (a, b): (&Tensor, &Tensor)) -> Result<Tensor> {
        Ok(self.generator.forward(a)?.f_l1_loss(b, tch::Reduction::Mean)?)
    }
}

fn plan(config: &OneWayConfig, channels: PerDomain<usize>) -> Plan {
    let &OneWayConfig { kernel, .. } = config;
    let (input, output) = (channels.a as i64, channels.b as i64);
    let shape = ConvShape { input, output, kernel, stride: 1, padding: 0, has_bias: true };
    let layers = vec![Layer::Reflect(kernel / 2), Layer::Convolution(shape), Layer::Tanh];
    Plan { layers, factor: 1, smallest_side: kernel, spectral_norm: false }
}

impl Model for OneWayModel {
    const KIND: &'static ModelKind = &KIND;
    const DATASETS: &'static [DatasetType] = &[DatasetType::CycleGan];
    const TARGETS: &'static [Domain] = &[Domain::B];
    const LOSS_NAMES: &'static [&'static str] = &["l1"];
    const METRIC_NAMES: &'static [&'static str] = &["valid_l1"];

    type Config = OneWayConfig;

    fn default_config(seed: u64) -> OneWayConfig {
        OneWayConfig { seed, ..OneWayConfig::default() }
    }

    fn check(config: &OneWayConfig) -> Result<()> {
        match config.kernel {
            1 | 3 | 5 => Ok(()),
            kernel => Err(Error::new(ErrorKind::Usage, "kernel is out of range").expected("1, 3 or 5").found(kernel)),
        }
    }

    fn check_domains(_: &OneWayConfig, _: &PerDomain<DomainSpec>) -> Result<()> {
        Ok(())
    }

    fn smallest_side(config: &OneWayConfig) -> i64 {
        config.kernel
    }

    fn parameter_count(config: &OneWayConfig, channels: PerDomain<usize>) -> u128 {
        plan(config, channels).parameter_count()
    }

    fn generator_plan(config: &OneWayConfig, channels: PerDomain<usize>, _: Domain) -> (&'static str, Plan) {
        (NAME, plan(config, channels))
    }

    fn beyond_arcgis(_: &OneWayConfig, _: &PerDomain<DomainSpec>) -> Option<&'static str> {
        None
    }

    fn description(config: &OneWayConfig, _: PerDomain<usize>) -> Vec<(&'static str, String)> {
        vec![("Kernel", config.kernel.to_string())]
    }

    fn config_of_arcgis(definition: &Emd, _: &[(String, Tensor)]) -> Result<OneWayConfig> {
        let kernel = definition.parameters().integer("kernel", 1, 5)? as i64;
        Ok(OneWayConfig { kernel, ..OneWayConfig::default() })
    }

    fn define(config: &OneWayConfig, definition: &mut Emd) {
        definition.parameters.insert("kernel".to_owned(), config.kernel.into());
    }

    fn build(config: OneWayConfig, channels: PerDomain<usize>, device: tch::Device, start: Start) -> Result<Self> {
        let scheme = (start == Start::Drawn).then_some(Initialization::Paper);
        let init = Initializer { seed: Seed(config.seed), scheme, device, kind: Kind::Float };
        let generator = Network::new(NAME, plan(&config, channels), &init)?;
        Ok(Self { config, generator, optimizer: None, is_frozen: false })
    }

    fn config(&self) -> &OneWayConfig {
        &self.config
    }

    fn plans(&self) -> Vec<(&str, &Plan)> {
        vec![(NAME, self.generator.plan())]
    }

    fn generator(&self, to: Domain) -> &Network {
        assert_eq!(to, Domain::B, "it has no other");
        &self.generator
    }

    fn load(&mut self, weights: &[(String, Tensor)]) -> Result<()> {
        load_parameters(&self.generator.parameters(), weights)?;
        self.optimizer = None;
        Ok(())
    }

    fn saved_parameters(&self) -> Result<Parameters> {
        Ok(self.generator.parameters())
    }

    fn begin_training(&mut self) -> Result<()> {
        if self.optimizer.is_none() {
            self.optimizer = Some(Adam::new(self.generator.parameters())?);
        }
        Ok(())
    }

    fn end_training(&mut self) {}

    fn train_step(&mut self, batch: (&Tensor, &Tensor), context: StepContext<'_>) -> Result<Tensor> {
        self.begin_training()?;
        let loss = self.loss(batch)?;
        let StepContext { lr, adam, share, update, .. } = context;
        let peers = context.joint_batch(batch.0)?.peers();
        if let Some(optimizer) = &mut self.optimizer {
            let gradients = optimizer.gradients(&loss, share)?;
            optimizer.apply(gradients, Update { lr, adam, share, now: update, peers })?;
        }
        Ok(loss.f_detach()?.f_reshape([1])?)
    }

    fn validate(&self, batch: (&Tensor, &Tensor)) -> Result<Tensor> {
        tch::no_grad(|| Ok(self.loss(batch)?.f_reshape([1])?))
    }

    fn state(&self) -> Parameters {
        self.generator.parameters().into_iter().chain(self.optimizer.iter().flat_map(Adam::state)).collect()
    }

    fn restore(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        if state.iter().any(|(name, _)| Adam::is_moment(name)) {
            self.begin_training()?;
        } else {
            self.optimizer = None;
        }
        load_parameters(&self.state(), state)
    }

    fn memory_need(&self, _: &DataBunch, _: Precision, _: usize) -> MemoryEstimate {
        MemoryEstimate::default()
    }

    fn set_frozen(&mut self, is_frozen: bool) {
        self.is_frozen = is_frozen;
    }

    fn is_frozen(&self) -> bool {
        self.is_frozen
    }
}

const CHIP: &str = "assets/bluemarble/A/images/y0300_x0900.png";

/// Chips that the model trains on, and a folder that belongs to them.
fn data() -> (tempfile::TempDir, DataBunch) {
    let folder = tempfile::tempdir().unwrap();
    for domain in ["A", "B"] {
        let into = folder.path().join("chips").join(domain);
        fs::create_dir_all(&into).unwrap();
        let mut files: Vec<PathBuf> = fs::read_dir(format!("assets/bluemarble/{domain}/images"))
            .unwrap()
            .map(|file| file.unwrap().path())
            .collect();
        files.sort();
        for file in files.iter().step_by(7).take(6) {
            fs::copy(file, into.join(file.file_name().unwrap())).unwrap();
        }
    }
    let prepare = PrepareData::new(folder.path().join("chips"), DatasetType::CycleGan).progress(false);
    let data = prepare.resize_to(16).batch_size(2).val_split_pct(0.4).working_dir(folder.path()).prepare().unwrap();
    (folder, data)
}

fn new(data: &DataBunch) -> OneWay {
    OneWay::built(data.clone(), OneWayModel::default_config(7), Device::Cpu, None).unwrap()
}

fn open(path: &Path, data: Option<&DataBunch>) -> Result<OneWay> {
    let options = LoadOptions::new().device(Device::Cpu);
    OneWay::from_model_with(path, data.map_or(options.clone(), |data| options.data(data)))
}

fn quiet(epochs: usize) -> FitOptions {
    FitOptions::new(epochs).lr(0.01).progress(false)
}

fn weights(model: &OneWay) -> Vec<f64> {
    let flat =
        |(_, tensor): (String, Tensor)| Vec::<f64>::try_from(tensor.to_kind(Kind::Double).flatten(0, -1)).unwrap();
    model.model.saved_parameters().unwrap().into_iter().flat_map(flat).collect()
}

#[test]
fn it_trains_and_is_measured_in_its_one_direction() {
    let (_folder, data) = data();
    let mut model = new(&data);
    let before = model.validate().unwrap();
    let history = model.fit(quiet(20)).unwrap();
    assert_eq!(history.losses("l1").unwrap().len(), 20);
    assert_eq!(model.available_metrics(), ["valid_l1", "l1"]);
    let after = model.validate().unwrap();
    assert_eq!((after[0].0, Some(after[0].1), after.len()), ("valid_l1", model.history().last("valid_l1"), 1));
    assert!(after[0].1 < 0.95 * before[0].1, "{before:?} {after:?}");
    let metrics = model.compute_metrics_with(MetricsOptions::new().progress(false)).unwrap();
    let directions: Vec<Domain> = metrics.directions().map(|(to, _)| to).collect();
    assert_eq!(directions, [Domain::B]);
    let into_b = metrics.to_domain(Domain::B).unwrap();
    assert_eq!((into_b.translated, into_b.round_trip.is_none()), (data.valid_len(Domain::A), true));
    let table = metrics.to_string();
    assert!(table.contains("A to B") && !table.contains("B to A"), "{table}");
    let stored = serde_json::to_value(&metrics).unwrap();
    assert!(stored["a"].is_null() && stored["b"].is_object(), "{stored}");
    let measured = model.history().metric_names().iter().filter(|name| name.ends_with("_a")).count();
    assert_eq!(measured, 0, "{:?}", model.history().metric_names());
}

/// Counts the translations that a fit measures.
#[derive(Debug, Default)]
struct Translations {
    targets: Vec<Domain>,
    seen: PerDomain<f64>,
}

impl Metric for Translations {
    fn aim(&mut self, targets: &[Domain]) {
        self.targets = targets.to_vec();
    }

    fn columns(&self) -> Vec<MetricColumn> {
        self.targets.iter().map(|to| MetricColumn::new(format!("seen_{to}"), Better::Higher)).collect()
    }

    fn update(&mut self, to: Domain, _: &Tensor, made: &Tensor) -> Result<()> {
        *self.seen.get_mut(to) += made.size()[0] as f64;
        Ok(())
    }

    fn finish(&mut self) -> Result<Vec<Option<f64>>> {
        let seen = std::mem::take(&mut self.seen);
        Ok(self.targets.iter().map(|&to| Some(*seen.get(to))).collect())
    }
}

#[test]
fn metrics_of_a_fit_cover_its_one_direction() {
    let (_folder, data) = data();
    let mut model = new(&data);
    model.fit(quiet(1).metric(Translations::default())).unwrap();
    assert_eq!(model.history().metric_names(), ["valid_l1", "seen_B"]);
    assert_eq!(model.history().last("seen_B"), Some(data.valid_len(Domain::A) as f64));
    let error = new(&data).fit(quiet(1).metric(Translations::default()).monitor("seen_A")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
}

#[test]
fn it_translates_into_one_domain_only() {
    let (folder, data) = data();
    let model = new(&data);
    let made = model.predict(CHIP, Domain::B).unwrap();
    assert_eq!((made.bands(), made.height(), made.width()), (3, 64, 64));
    let image = Raster::open(CHIP).unwrap();
    assert_eq!(model.predictor(Domain::B).unwrap().predict_image(&image).unwrap(), made);
    let scene = folder.path().join("scene.tif");
    let options = RasterOptions::new(Domain::B).window(0, 0, 40, 50).progress(false);
    let report = model.predict_raster("assets/scenes/bluemarble_asia.tif", &scene, options).unwrap();
    assert_eq!(report.pixels(), 40 * 50);
    let network = folder.path().join("b.pt");
    model.export_torchscript(&network, Domain::B).unwrap();
    assert!(network.is_file());
    for refused in [
        model.predict(CHIP, Domain::A).map(drop),
        model.predictor(Domain::A).map(drop),
        model.export_torchscript(folder.path().join("a.pt"), Domain::A),
    ] {
        let error = refused.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        let text = error.to_string();
        assert!(text.contains("a OneWay does not translate into domain A: expected domain B, found A"), "{text}");
    }
}

/// A chip, its translation and a real one; a CycleGAN shows twice as many columns.
#[cfg(feature = "plot")]
#[test]
fn results_show_its_one_direction() {
    let (_folder, data) = data();
    let width = |rows| new(&data).show_results(rows).unwrap().as_rgb_image().width();
    let options = LoadOptions::new().device(Device::Cpu).data(&data);
    let both = CycleGan::from_model_with("assets/models/sat2relief", options).unwrap();
    let both = both.show_results(1).unwrap().as_rgb_image().width();
    assert!(width(1) == width(2) && 3 * width(1) < 2 * both, "{} {both}", width(1));
}

#[test]
fn it_is_saved_and_opened() {
    let (folder, data) = data();
    let mut model = new(&data);
    model.fit(quiet(1)).unwrap();
    model.compute_metrics_with(MetricsOptions::new().progress(false).baselines(false)).unwrap();
    let saved = model.save(folder.path().join("one")).unwrap();
    let definition: Value = serde_json::from_slice(&fs::read(saved.join("one.emd")).unwrap()).unwrap();
    let keys = ["ModelName", "ModelType", "ModelConfiguration"].map(|key| definition[key].as_str().unwrap());
    assert_eq!(keys, ["OneWay", "OneWay", "_oneway"]);
    assert_eq!(definition["ModelParameters"], json!({"kernel": 3}));
    assert!(definition.get("FID_A").is_none() && definition["FID_B"].is_string(), "{definition}");
    let page = fs::read_to_string(saved.join("model_metrics.html")).unwrap();
    assert!(page.contains("A to B") && !page.contains("B to A"));
    let single = folder.path().join("one.safetensors");
    model.save_safetensors(&single).unwrap();
    for path in [saved.clone(), saved.join("one.dlpk"), single] {
        let opened = open(&path, Some(&data)).unwrap();
        assert_eq!(weights(&opened), weights(&model), "{}", path.display());
        assert_eq!((opened.config(), opened.history()), (model.config(), model.history()));
        assert_eq!(opened.metrics(), model.metrics());
    }
    let predictor = OneWay::open_predictor(&saved, Domain::B, Device::Cpu).unwrap();
    assert_eq!(predictor.predict(CHIP).unwrap(), model.predict(CHIP, Domain::B).unwrap());
    assert_eq!(OneWay::open_predictor(&saved, Domain::A, Device::Cpu).unwrap_err().kind(), ErrorKind::Usage);
    model.load(&saved).unwrap();
}

#[test]
fn a_model_is_not_opened_as_another_kind() {
    let (folder, data) = data();
    let saved = new(&data).save(folder.path().join("one")).unwrap();
    let error = CycleGan::from_model(&saved, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let text = error.to_string();
    assert!(text.contains("expected CycleGAN, found OneWay") && text.contains("one.emd"), "{text}");
    let error = open("assets/models/sat2relief".as_ref(), None).unwrap_err().to_string();
    assert!(error.contains("expected OneWay, found CycleGAN. Open it with CycleGan::from_model."), "{error}");
}

/// Opened by arcgis.learn's keys, without our own section.
#[test]
fn arcgis_keys_are_sufficient() {
    let (folder, data) = data();
    let saved = new(&data).save(folder.path().join("one")).unwrap();
    let path = saved.join("one.emd");
    let mut definition: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    definition.as_object_mut().unwrap().shift_remove("Geolearn");
    fs::write(&path, definition.to_string()).unwrap();
    assert_eq!(open(&path, None).unwrap().config(), &OneWayConfig::default());
    definition["ModelParameters"]["kernel"] = json!(9);
    fs::write(&path, definition.to_string()).unwrap();
    let error = open(&path, None).unwrap_err().to_string();
    assert!(error.contains("`ModelParameters.kernel` has a wrong value"), "{error}");
}

/// Ends a fit after two epochs.
struct AfterTwo;

impl Callback for AfterTwo {
    fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> Result<Flow> {
        Ok(if report.epoch == 2 { Flow::Stop } else { Flow::Continue })
    }
}

#[test]
fn a_fit_resumes_bit_for_bit() {
    let (folder, data) = data();
    let mut whole = new(&data);
    whole.fit(quiet(4)).unwrap();
    let run = folder.path().join("run");
    let options = || quiet(4).checkpoint(Checkpoint::Last).checkpoint_dir(&run).resume(true);
    let mut stopped = new(&data);
    stopped.fit(options().callback(AfterTwo)).unwrap();
    assert_eq!(stopped.history().epochs().len(), 2);
    let mut resumed = new(&data);
    resumed.fit(options()).unwrap();
    assert_eq!(weights(&resumed), weights(&whole));
    let checkpoint = run.join("last.safetensors");
    let taken = OneWay::from_checkpoint_on(&checkpoint, &data, Device::Cpu).unwrap();
    assert_eq!(weights(&taken), weights(&whole));
    let error = CycleGan::from_checkpoint(&checkpoint, &data).unwrap_err().to_string();
    assert!(error.contains("another kind of model: expected CycleGAN, found OneWay"), "{error}");
}
