//! A Pix2Pix from pairs to files and back.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::{Generator, Pix2Pix, Pix2PixBuilder};
use crate::dataset::{DataBunch, DatasetType, Domain, PrepareData};
use crate::device;
use crate::error::ErrorKind;
use crate::evaluation::MetricsOptions;
use crate::ffi;
use crate::inference::{NormStatistics, RasterOptions};
use crate::models::LoadOptions;
use crate::models::core::Model;
use crate::models::cyclegan::CycleGan;
use crate::nn::no_fixed_statistics;
use crate::optim::AdamOptions;
use crate::testing;
use crate::train::{Callback, Checkpoint, EpochReport, FitOptions, Flow, StepContext, Translator, estimate_within};

const PAIRS: &str = "assets/bluemarble_test";
const CHIP: &str = "assets/bluemarble_test/a/y0300_x3408.png";
const SCENE: &str = "assets/scenes/bluemarble_asia.tif";

/// Chips of the same places in both domains, and a folder that belongs to them.
fn data() -> (tempfile::TempDir, DataBunch) {
    let folder = tempfile::tempdir().unwrap();
    let prepare = PrepareData::new(PAIRS, DatasetType::Pix2Pix).progress(false).cache(false);
    let data = prepare.resize_to(32).batch_size(2).val_split_pct(0.4).working_dir(folder.path()).prepare().unwrap();
    (folder, data)
}

fn builder(data: &DataBunch) -> Pix2PixBuilder {
    Pix2Pix::builder(data).gen_levels(5).gen_features(4).disc_features(4).device(device::Device::Cpu)
}

fn resnet(data: &DataBunch) -> Pix2Pix {
    builder(data).generator(Generator::Resnet).gen_blocks(1).build().unwrap()
}

fn quiet(epochs: usize) -> FitOptions {
    FitOptions::new(epochs).lr(0.002).progress(false)
}

fn weights(model: &Pix2Pix) -> Vec<f64> {
    let flat = |(_, tensor): (String, Tensor)| Vec::<f64>::try_from(tensor.to_kind(Kind::Double).flatten(0, -1));
    model.model.saved_parameters().unwrap().into_iter().flat_map(|named| flat(named).unwrap()).collect()
}

fn open(path: &Path) -> crate::Result<Pix2Pix> {
    Pix2Pix::from_model_with(path, LoadOptions::new().device(device::Device::Cpu))
}

#[test]
fn it_trains_on_pairs_and_is_measured() {
    let (_folder, data) = data();
    for mut model in [builder(&data).build().unwrap(), resnet(&data)] {
        let before = model.validate().unwrap();
        model.fit(quiet(12)).unwrap();
        let after = model.validate().unwrap();
        let l1 = |measured: &[(&str, f64)]| measured.iter().find(|(name, _)| *name == "valid_l1").unwrap().1;
        assert!(l1(&after) < 0.9 * l1(&before), "{before:?} {after:?}");
        assert_eq!(model.history().losses("discriminator").unwrap().len(), 12);
        let metrics = model.compute_metrics_with(MetricsOptions::new().progress(false)).unwrap();
        assert!(metrics.to_domain(Domain::A).is_none());
        let scores = metrics.to_domain(Domain::B).unwrap().model.paired.clone().unwrap();
        assert!(scores.ssim.unwrap().is_finite() && scores.psnr.unwrap() > 0.0, "{scores:?}");
    }
}

#[test]
fn a_fit_is_reproducible_and_resumes_bit_for_bit() {
    /// Ends a fit after one epoch.
    struct AfterOne;
    impl Callback for AfterOne {
        fn on_epoch_end(&mut self, report: &EpochReport<'_>) -> crate::Result<Flow> {
            Ok(if report.epoch == 1 { Flow::Stop } else { Flow::Continue })
        }
    }
    let (folder, data) = data();
    let new = |dropout| builder(&data).dropout(dropout).build().unwrap();
    let fitted = |dropout| {
        let mut model = new(dropout);
        model.fit(quiet(2)).unwrap();
        weights(&model)
    };
    let whole = fitted(true);
    assert_eq!(whole, fitted(true));
    assert_ne!(whole, fitted(false));
    let run = folder.path().join("run");
    let options = || quiet(2).checkpoint(Checkpoint::Last).checkpoint_dir(&run).resume(true);
    new(true).fit(options().callback(AfterOne)).unwrap();
    let mut resumed = new(true);
    resumed.fit(options()).unwrap();
    assert_eq!(weights(&resumed), whole);
    let taken = Pix2Pix::from_checkpoint_on(run.join("last.safetensors"), &data, device::Device::Cpu).unwrap();
    assert_eq!(weights(&taken), whole);
    let curve = resumed.lr_find_with(crate::train::LrFindOptions::default().steps(12)).unwrap();
    assert!(!curve.losses().is_empty());
    assert_eq!(weights(&resumed), whole);
}

#[test]
fn the_encoder_can_be_frozen() {
    let (_folder, data) = data();
    for mut model in [builder(&data).build().unwrap(), resnet(&data)] {
        let encoder = model.model.nets.generator.encoder();
        let of = |model: &Pix2Pix, inside: bool| -> Vec<Tensor> {
            let all = model.model.nets.generator.parameters();
            let is_one = |name: &str| encoder.iter().any(|prefix| name.starts_with(prefix)) == inside;
            let weights = all.into_iter().filter(|(name, _)| is_one(name) && name.ends_with("weight"));
            weights.map(|(_, weight)| weight.detach().copy()).collect()
        };
        let (fixed, moving) = (of(&model, true), of(&model, false));
        assert!(fixed.len() > 2 && moving.len() > 2);
        model.freeze();
        model.fit(quiet(1)).unwrap();
        assert_eq!(of(&model, true), fixed);
        assert!(of(&model, false).iter().zip(&moving).all(|(now, before)| now != before));
    }
}

#[test]
fn it_is_saved_and_opened() {
    let (folder, data) = data();
    for (name, mut model) in [("unet", builder(&data).build().unwrap()), ("resnet", resnet(&data))] {
        model.fit(quiet(1)).unwrap();
        let saved = model.save(folder.path().join(name)).unwrap();
        let definition: Value = serde_json::from_slice(&fs::read(saved.join(format!("{name}.emd"))).unwrap()).unwrap();
        let keys = ["ModelName", "ModelType", "ModelConfiguration"].map(|key| definition[key].as_str().unwrap());
        assert_eq!(keys, ["Pix2Pix", "Pix2Pix", "_pix2pix"]);
        let single = folder.path().join(format!("{name}.safetensors"));
        model.save_safetensors(&single).unwrap();
        for path in [saved.clone(), saved.join(format!("{name}.dlpk")), single] {
            let opened = open(&path).unwrap();
            assert_eq!(weights(&opened), weights(&model), "{}", path.display());
            assert_eq!((opened.config(), opened.history()), (model.config(), model.history()));
        }
        let predictor = Pix2Pix::open_predictor(&saved, Domain::B, device::Device::Cpu).unwrap();
        assert_eq!(predictor.predict(CHIP).unwrap(), model.predict_a2b(CHIP).unwrap());
        model.load(&saved).unwrap();
        let error = CycleGan::from_model(&saved, None).unwrap_err().to_string();
        assert!(error.contains("Open it with Pix2Pix::from_model."), "{error}");
    }
}

/// In arcgis.learn's format, with smaller networks; it does not know `n_channel_rev` and our section. The bands of A
/// are those of its statistics.
#[test]
fn what_arcgis_writes_is_opened() {
    let (folder, data) = data();
    let model = builder(&data).build().unwrap();
    let saved = model.save(folder.path().join("theirs")).unwrap();
    let path = saved.join("theirs.emd");
    let mut definition: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(definition["ModelParameters"], json!({"backbone": "resnet34", "backend": "pytorch"}));
    let object = definition.as_object_mut().unwrap();
    for key in ["Geolearn", "n_channel_rev"] {
        object.shift_remove(key).unwrap();
    }
    object.insert("backbone".to_owned(), Value::Null);
    object.insert("perceptual_loss".to_owned(), false.into());
    fs::write(&path, definition.to_string()).unwrap();
    let opened = open(&path).unwrap();
    assert_eq!(opened.config().gen_levels, 5);
    assert_eq!((opened.config().gen_features, opened.config().disc_features), (4, 4));
    assert_eq!(weights(&opened), weights(&model));
    assert_eq!(opened.predict_a2b(CHIP).unwrap(), model.predict_a2b(CHIP).unwrap());
    // Weights of another generator.
    let other = resnet(&data).save(folder.path().join("other")).unwrap().join("other.emd");
    let mut definition: Value = serde_json::from_slice(&fs::read(&other).unwrap()).unwrap();
    definition.as_object_mut().unwrap().shift_remove("Geolearn").unwrap();
    fs::write(&other, definition.to_string()).unwrap();
    let error = open(&other).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("backbone"), "{error}");
}

/// A single scene in blended tiles; and without blending only if the norms can have the statistics of the scene.
#[test]
fn scenes_of_a_u_net_are_blended() {
    let (folder, data) = data();
    let blended = || RasterOptions::new(Domain::B).statistics(NormStatistics::Tile { padding: None });
    let options = |options: RasterOptions| options.window(0, 0, 50, 70).progress(false);
    let output = folder.path().join("scene.tif");
    let unet = builder(&data).build().unwrap();
    assert_eq!(unet.predict_raster(SCENE, &output, options(blended())).unwrap().pixels(), 50 * 70);
    for statistics in [NormStatistics::Scene, NormStatistics::Inputs, NormStatistics::Local { spacing: None }] {
        let fixed = options(RasterOptions::new(Domain::B).statistics(statistics));
        let error = unet.predict_raster(SCENE, &output, fixed.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let text = error.to_string();
        assert!(text.contains(&format!("found {statistics:?}")) && text.contains("innermost maps"), "{text}");
        assert!(resnet(&data).predict_raster(SCENE, &output, fixed).is_ok());
    }
    assert_eq!(no_fixed_statistics().kind(), ErrorKind::Unsupported);
}

#[test]
fn it_is_exported() {
    let (folder, data) = data();
    let x = (Tensor::arange(3 * 40 * 61, (Kind::Float, Device::Cpu)) * 0.37).sin().view([1, 3, 40, 61]);
    for model in [builder(&data).build().unwrap(), resnet(&data)] {
        let path = folder.path().join("network.pt");
        model.export_torchscript(&path, Domain::B).unwrap();
        let made = tch::CModule::load(&path).unwrap().forward_ts(std::slice::from_ref(&x)).unwrap();
        let expected = tch::no_grad(|| model.model.nets.generator.forward(&x)).unwrap();
        testing::Tolerance::abs(1e-5).tensor("output", &made, &expected);
    }
}

#[cfg(feature = "plot")]
#[test]
fn results_are_shown() {
    let (_folder, data) = data();
    let picture = builder(&data).build().unwrap().show_results(2).unwrap();
    assert!(picture.as_rgb_image().width() > picture.as_rgb_image().height() / 2);
}

#[test]
fn chips_without_partners_are_refused() {
    let data = PrepareData::new("assets/bluemarble", DatasetType::CycleGan).progress(false).prepare().unwrap();
    let error = builder(&data).build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    let text = error.to_string();
    assert!(text.contains("expected DatasetType::Pix2Pix, found DatasetType::CycleGan"), "{text}");
}

#[test]
fn pairs_of_two_sizes_are_refused() {
    let (_folder, data) = data();
    let mut spec = crate::dataset::PerDomain::from_fn(|domain| data.spec(domain));
    spec.b.chip = (16, 32);
    let error = super::Pix2PixConfig::check_domains(&spec).unwrap_err().to_string();
    assert!(error.contains("expected 32 x 32 pixels in both") && error.contains("32 x 16"), "{error}");
}

/// Compared with what libtorch's allocators give out for a step; within 20 %.
#[test]
fn memory_is_estimated() {
    let mut ratios = Vec::new();
    for (generator, features, side) in
        [(Generator::Unet, 16, 64), (Generator::Unet, 8, 128), (Generator::Resnet, 16, 64)]
    {
        // Without threads, all memory is allocated on this one, where the meter sees it.
        let prepare = PrepareData::new(PAIRS, DatasetType::Pix2Pix).resize_to(side).workers(0);
        let data = prepare.val_split_pct(0.0).batch_size(2).prepare().unwrap();
        let builder = Pix2Pix::builder(&data).generator(generator).gen_levels(5).gen_blocks(2).gen_features(features);
        let mut model = builder.disc_features(8).device(device::Device::Cpu).build().unwrap();
        model.model.begin_training().unwrap();
        let chips = || Tensor::zeros([2, 3, side as i64, side as i64], (Kind::Float, Device::Cpu)).uniform_(-1.0, 1.0);
        let batch = crate::dataset::Batch { a: chips(), b: chips() };
        let context = StepContext::new(1e-4, AdamOptions::default(), 0);
        let mut step = || ffi::measure_memory(|| model.train_step(&batch, context)).unwrap().1.peak as f64;
        let peak = step().max(step());
        let ratio = model.memory_estimate().unwrap().activations as f64 / peak;
        testing::tell(&format!("{generator:?}, {features} features, side {side}: {ratio:.2} of {peak:.3e} bytes"));
        ratios.push(ratio);
    }
    assert!(ratios.iter().all(|ratio| (0.8..1.2).contains(ratio)), "{ratios:?}");
}

/// The research code's U-Net in evaluation mode; 1e-4: f32 through 12 layers, with norms folded into them. Sides that
/// are not multiples of 64 are accepted, too, and the model is saved and trained further.
#[test]
fn the_research_codes_generator_gives_its_outputs() {
    let path = testing::fixture("pix2pix/latest_net_G.pth");
    let import = || Pix2Pix::import(&path).disc_features(4).device(device::Device::Cpu);
    let model = import().build().unwrap();
    let image = ndarray::Array3::from_shape_fn((2, 64, 128), |(c, y, x)| ((37 * c + 11 * y + 5 * x) % 256) as f32);
    let made = model.predict_array(&image, Domain::B).unwrap();
    let made = Tensor::from_slice(made.as_slice().unwrap()).view([3, 64, 128]) / 127.5 - 1.0;
    let expected = &Tensor::read_npz(testing::fixture("pix2pix/research.npz")).unwrap()[0].1;
    testing::Tolerance::abs(1e-4).tensor("made", &made, expected);
    assert!(expected.std(true).double_value(&[]) > 0.1);
    let folder = tempfile::tempdir().unwrap();
    let opened = open(&model.save(folder.path().join("m")).unwrap()).unwrap();
    assert_eq!((weights(&opened), opened.config().generator), (weights(&model), Generator::FoldedUnet));
    let (chip, losses) = (Tensor::zeros([1, 3, 40, 48], (Kind::Float, Device::Cpu)), super::step::LOSS_NAMES.len());
    let mut model = import().dropout(true).build().unwrap();
    let context = StepContext::new(1e-4, AdamOptions::default(), 0);
    let step = model.model.train_step((&chip.narrow(1, 0, 2), &chip), context).unwrap();
    assert_eq!(step.size(), [losses as i64]);
    let other = Pix2Pix::import(testing::fixture("research/latest_net_G_A.pth")).build().unwrap_err();
    assert_eq!(other.kind(), ErrorKind::Unsupported);
    assert!(other.to_string().contains("no U-Net of the research code"), "{other}");
}

/// The peak of a step with six chips, as given out by libtorch's allocators, with a third for scratch memory and the
/// copy that is kept: half more is sufficient for six according to the estimate, and a fifth less is not. The estimate
/// is conservative: it requires 1.4 times as much here, of which batches that are read ahead are a part.
#[test]
fn the_estimated_batch_size_fits_into_measured_memory() {
    const CHIPS: i64 = 6;
    let prepare = PrepareData::new(PAIRS, DatasetType::Pix2Pix).resize_to(64).workers(0);
    let data = prepare.val_split_pct(0.0).prepare().unwrap();
    let builder = Pix2Pix::builder(&data).gen_levels(5).gen_features(16).disc_features(8);
    let mut model = builder.device(device::Device::Cpu).build().unwrap();
    model.model.begin_training().unwrap();
    let context = StepContext::new(1e-4, AdamOptions::default(), 0);
    let chips = || Tensor::zeros([CHIPS, 3, 64, 64], (Kind::Float, Device::Cpu)).uniform_(-1.0, 1.0);
    let batch = crate::dataset::Batch { a: chips(), b: chips() };
    let mut step = || ffi::measure_memory(|| model.train_step(&batch, context)).unwrap().1.peak as f64;
    let peak = step().max(step());
    let kept: f64 = model.state().tensors.iter().map(|(_, tensor)| 4.0 * tensor.numel() as f64).sum();
    let most = |peak: f64| {
        let free = (peak * 4.0 / 3.0 + kept) as u64;
        estimate_within(&model, &data, &|_| Some(free)).unwrap().max
    };
    let (more, less) = (most(1.5 * peak), most(0.8 * peak));
    testing::tell(&format!("{CHIPS} chips were measured; {more} fit with half more, {less} with a fifth less"));
    assert!(more >= CHIPS as usize && less < CHIPS as usize, "{more}, {less}");
    assert_eq!(model.estimate_batch_size().unwrap().max, data.len(Domain::A));
}
