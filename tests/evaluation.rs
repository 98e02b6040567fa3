//! Tests `compute_metrics`: its results, its errors, and how they are saved with a model.
#![allow(clippy::unwrap_used, reason = "a test that cannot set up has failed")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{few_chips, on_cpu, small_data, small_model};
use geolearn::evaluation::{Baseline, DirectionMetrics, Metrics, MetricsOptions};
use geolearn::metrics::Inception;
use geolearn::{CycleGan, DatasetType, Device, Domain, ErrorKind, FitOptions, PrepareData, Raster};
use ndarray::{Array3, Zip};
use serde_json::Value;

const SAT2RELIEF: &str = "tests/fixtures/models/sat2relief";
const UNSEEN: [&str; 2] = ["assets/bluemarble_test/a", "assets/bluemarble_test/b"];
/// Set if a missing file of weights must fail the tests.
const REQUIRED: &str = "GEOLEARN_REQUIRE_INCEPTION";

/// Returns whether KID and FID can be measured here.
fn has_inception() -> bool {
    let found = Inception::find(Device::Cpu);
    let is_required = std::env::var_os(REQUIRED).is_some();
    found.inspect_err(|error| assert!(!is_required, "{error}")).is_ok()
}

fn quiet() -> MetricsOptions {
    MetricsOptions::new().progress(false)
}

fn unseen() -> MetricsOptions {
    quiet().pairs(UNSEEN[0], UNSEEN[1])
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn into(metrics: &Metrics, to: Domain) -> &DirectionMetrics {
    metrics.to_domain(to).unwrap()
}

fn values(image: &Raster) -> Array3<f64> {
    image.samples().to_f32().mapv(f64::from)
}

/// Computes the numbers that a user would compute from predicted files.
#[test]
fn errors_of_pairs_are_those_of_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let data = PrepareData::new(few_chips(folder.path(), 6, 5), DatasetType::CycleGan).prepare().unwrap();
    let mut model = on_cpu::from_model(SAT2RELIEF, Some(&data)).unwrap();
    let metrics = model.compute_metrics_with(unseen().baselines(false)).unwrap();
    let (mut absolute, mut psnr) = ([0.0; 3], 0.0);
    let places = files(UNSEEN[0]).len() as f64;
    for (a, b) in files(UNSEEN[0]).iter().zip(files(UNSEEN[1])) {
        let (made, truth) = (values(&model.predict_a2b(a).unwrap()), values(&Raster::open(b).unwrap()));
        let error = Zip::from(&made).and(&truth).map_collect(|made, truth| (made - truth).abs());
        for (sum, band) in absolute.iter_mut().zip(error.outer_iter()) {
            *sum += band.mean().unwrap() / places;
        }
        psnr += -10.0 * (error.mapv(|error| (error / 255.0).powi(2)).mean().unwrap()).log10() / places;
    }
    let paired = into(&metrics, Domain::B).model.paired.as_ref().unwrap();
    assert_eq!(paired.pairs, files(UNSEEN[0]).len());
    // 8-bit values are scaled by 255 in f32, which has 24 bits.
    for (found, expected) in paired.mae.iter().zip(absolute) {
        assert!((found.unwrap() - expected).abs() < 1e-4 * expected, "{found:?} {expected}");
    }
    assert!((paired.psnr.unwrap() - psnr).abs() < 1e-4, "{:?} {psnr}", paired.psnr);
    assert!((0.1..1.0).contains(&paired.ssim.unwrap()), "{:?}", paired.ssim);
    // The same weights give the same numbers.
    let again = model.compute_metrics_with(unseen().baselines(false)).unwrap();
    let both = |metrics: &Metrics| Domain::BOTH.map(|to| metrics.to_domain(to).unwrap().model.paired.clone());
    assert_eq!(both(&again), both(&metrics));
}

/// An identical image has no error; a flat one of the mean color has no gradients.
#[test]
fn baselines_have_the_expected_scores() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    // With a domain paired with itself, the untranslated image is the ground truth.
    let [same, _] = UNSEEN;
    let metrics = small_model(&data).compute_metrics_with(quiet().pairs(same, same)).unwrap();
    let of = |baseline| {
        let row = into(&metrics, Domain::B).baselines.iter().find(|row| row.baseline == baseline).unwrap();
        row.scores.paired.clone().unwrap()
    };
    let untouched = of(Baseline::NoTranslation);
    assert_eq!((untouched.mae, untouched.psnr), (vec![Some(0.0); 3], None));
    assert!((untouched.ssim.unwrap() - 1.0).abs() < 1e-12);
    let flat = of(Baseline::MeanColor);
    assert!(flat.mae.iter().all(|error| error.unwrap() > 1.0) && flat.ssim.unwrap() < 0.9);
    let matched = of(Baseline::HistogramMatching);
    assert!(matched.mae.iter().all(|error| error.unwrap() > 0.0));
    // An untrained model is worse than the baselines.
    if !has_inception() {
        assert!(into(&metrics, Domain::B).baselines_that_win().contains(&Baseline::NoTranslation));
    }
    let table = metrics.to_string();
    for part in ["A to B", "B to A", "no translation", "flat mean color", "histogram matching", "round trip", "KID"] {
        assert!(table.contains(part), "{table}");
    }
}

#[test]
fn measuring_nothing_is_an_error_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let chips = few_chips(folder.path(), 6, 5);
    let data = PrepareData::new(chips, DatasetType::CycleGan).resize_to(32).val_split_pct(0.0).prepare().unwrap();
    let mut model = small_model(&data);
    let error = model.compute_metrics_with(quiet()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    assert!(error.to_string().contains("val_split_pct") && error.to_string().contains("pairs"), "{error}");
    // Pairs alone suffice.
    assert!(into(&model.compute_metrics_with(unseen()).unwrap(), Domain::A).model.paired.is_some());
    let error = model.compute_metrics_with(quiet().pairs(UNSEEN[0], SAT2RELIEF)).unwrap_err();
    assert!(error.to_string().contains("partner"), "{error}");
    let error = model.compute_metrics_with(unseen().inception(folder.path().join("no.safetensors"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    let error = CycleGan::from_model(SAT2RELIEF, None).unwrap().compute_metrics().unwrap_err();
    assert!(error.to_string().contains("data"), "{error}");
}

/// Prints what a process without the weights reports.
#[test]
#[ignore = "run by another test"]
#[allow(clippy::print_stdout, reason = "the other process reads it")]
fn child() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = small_model(&small_data(folder.path())).compute_metrics_with(unseen()).unwrap();
    assert_eq!((into(&metrics, Domain::B).model.kid, into(&metrics, Domain::B).model.fid), (None, None));
    println!("{metrics}");
}

#[test]
fn without_inception_weights_the_rest_is_measured_with_advice() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--ignored", "--nocapture"]).env("GEOLEARN_INCEPTION", "/no/such/file");
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("cargo xtask inception") && text.contains("/no/such/file"), "{text}");
}

/// 13 bands against 3: no baseline keeps the bands, and the pictures show the display bands.
#[test]
fn domains_of_different_bands_are_measured() {
    let data = PrepareData::new("assets/multispectral", DatasetType::CycleGan).resize_to(32).val_split_pct(0.2);
    let data = data.prepare().unwrap();
    let mut model = on_cpu::builder(&data).gen_blocks(1).gen_features(4).disc_features(4).build().unwrap();
    let metrics = model.compute_metrics_with(quiet()).unwrap();
    let round_trips = Domain::BOTH.map(|domain| metrics.to_domain(domain).unwrap().round_trip.clone().unwrap());
    assert_eq!(round_trips.each_ref().map(|scores| scores.mae.len()), [13, 3]);
    assert!(round_trips.iter().all(|scores| scores.spectral_angle.unwrap() > 0.0));
    assert!(into(&metrics, Domain::B).model.paired.is_none());
    if has_inception() {
        assert!(metrics.notes.iter().any(|note| note.contains("bands")), "{:?}", metrics.notes);
    }
}

#[test]
fn a_saved_model_carries_its_metrics_until_it_is_trained_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    model.fit(FitOptions::new(1).progress(false)).unwrap();
    assert!(model.metrics().is_none());
    let metrics = model.compute_metrics_with(unseen()).unwrap();
    let saved = model.save(folder.path().join("models/measured")).unwrap();
    let definition = |saved: &Path| -> Value {
        serde_json::from_str(&std::fs::read_to_string(saved.join("measured.emd")).unwrap()).unwrap()
    };
    let text = |value: Option<f64>| value.map_or("None".to_string(), |value| value.to_string());
    assert_eq!(definition(&saved)["FID_A"], text(into(&metrics, Domain::A).model.fid));
    assert_eq!(definition(&saved)["FID_B"], text(into(&metrics, Domain::B).model.fid));
    let page = std::fs::read_to_string(saved.join("model_metrics.html")).unwrap();
    assert!(page.contains("histogram matching") && page.contains("KID"));
    let mut loaded = on_cpu::from_model(&saved, Some(&data)).unwrap();
    assert_eq!(loaded.metrics(), Some(&metrics));
    assert_eq!(loaded.history(), model.history());
    loaded.fit(FitOptions::new(1).progress(false)).unwrap();
    assert!(loaded.metrics().is_none());
    let saved = loaded.save(folder.path().join("models/measured")).unwrap();
    assert_eq!(definition(&saved).get("FID_A"), None);
    assert_eq!(definition(&saved)["Geolearn"].get("Metrics"), None);
    let text = serde_json::to_string(&metrics).unwrap();
    assert_eq!(serde_json::from_str::<Metrics>(&text).unwrap(), metrics);
    // The format that earlier releases wrote.
    let keys: Vec<_> = serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["a", "b", "resize", "notes"]);
}

/// Restored weights keep their metrics; other weights have none.
#[test]
fn metrics_belong_to_the_weights_they_were_measured_of() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(folder.path());
    let mut model = small_model(&data);
    let metrics = model.compute_metrics_with(unseen().baselines(false)).unwrap();
    model.lr_find_with(geolearn::train::LrFindOptions::default().steps(3)).unwrap();
    assert_eq!(model.metrics(), Some(&metrics));
    let saved = model.save(folder.path().join("models/m")).unwrap();
    model.load_weights(saved.join("m.pth")).unwrap();
    assert_eq!(model.metrics(), None);
    let auto = PrepareData::new(folder.path().join("chips"), DatasetType::CycleGan).resize_to(32);
    let auto = auto.batch_size(geolearn::dataset::BatchSize::Auto).prepare().unwrap();
    let opened = on_cpu::from_model(&saved, Some(&auto)).unwrap();
    assert!(!opened.batch_size_trials().is_empty());
    assert_eq!(opened.metrics(), Some(&metrics));
}

/// As in a prediction, a translation has nodata where its input does, so these pixels do not count.
#[test]
fn gaps_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, image: Array3<f32>| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        Raster::new(image).unwrap().with_nodata(-1.0).save(path).unwrap();
    };
    for i in 0..4 {
        let image = |gap: usize| {
            Array3::from_shape_fn(
                (1, 32, 32),
                |(_, y, x)| if x < gap { -1.0 } else { ((y * 7 + x * 3 + i) % 50) as f32 },
            )
        };
        write(&format!("chips/A/{i}.tif"), image(8));
        write(&format!("chips/B/{i}.tif"), image(0));
        // Only the pixels under the gap of A differ from it.
        let far =
            Array3::from_shape_fn((1, 32, 32), |(_, y, x)| if x < 8 { 1e6 } else { ((y * 7 + x * 3 + i) % 50) as f32 });
        write(&format!("truth/{i}.tif"), far);
    }
    let data = PrepareData::new(folder.path().join("chips"), DatasetType::CycleGan).val_split_pct(0.5);
    let data = data.prepare().unwrap();
    let options = quiet().pairs(folder.path().join("chips/A"), folder.path().join("truth"));
    let metrics = small_model(&data).compute_metrics_with(options).unwrap();
    let error = |paired: &geolearn::evaluation::PairedScores| paired.mae[0].unwrap();
    assert!(error(into(&metrics, Domain::B).model.paired.as_ref().unwrap()) < 100.0, "{metrics}");
    let untouched = &into(&metrics, Domain::B).baselines[0];
    assert_eq!(error(untouched.scores.paired.as_ref().unwrap()), 0.0, "{metrics}");
}

/// With few images there are numbers and a note. Untranslated images are equally far from both domains.
#[test]
fn distances_are_measured_with_their_errors() {
    if !has_inception() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = PrepareData::new(few_chips(folder.path(), 20, 20), DatasetType::CycleGan).val_split_pct(0.25);
    let data = data.prepare().unwrap();
    let mut model = on_cpu::from_model(SAT2RELIEF, Some(&data)).unwrap();
    let metrics = model.compute_metrics_with(quiet()).unwrap();
    let untouched = Domain::BOTH.map(|to| {
        let direction = metrics.to_domain(to).unwrap();
        assert_eq!(direction.baselines[0].baseline, Baseline::NoTranslation);
        assert!(direction.model.kid_standard_error.unwrap() > 0.0 && direction.model.fid.unwrap() > 0.0);
        &direction.baselines[0].scores
    });
    // The same f64 sums in a different order.
    assert!((untouched[0].kid.unwrap() - untouched[1].kid.unwrap()).abs() < 1e-9);
    assert!((untouched[0].fid.unwrap() - untouched[1].fid.unwrap()).abs() < 1e-6);
    assert!(metrics.notes.iter().any(|note| note.contains("few")), "{:?}", metrics.notes);
    assert_eq!(model.history().last("valid_kid_b"), into(&metrics, Domain::B).model.kid);
}

#[test]
fn kid_can_choose_the_best_epoch() {
    let folder = tempfile::tempdir().unwrap();
    // Two validation chips per domain.
    let data = PrepareData::new(few_chips(folder.path(), 8, 8), DatasetType::CycleGan).resize_to(32);
    let data = data.val_split_pct(0.25).prepare().unwrap();
    let options = FitOptions::new(2).progress(false).monitor("valid_kid_b");
    if !has_inception() {
        let error = small_model(&data).fit(options).unwrap_err();
        assert!(error.to_string().contains("cargo xtask inception"), "{error}");
        return;
    }
    let run = folder.path().join("run");
    let history =
        small_model(&data).fit(options.checkpoint(geolearn::train::Checkpoint::Best).checkpoint_dir(&run)).unwrap();
    let kid = history.losses("valid_kid_b").unwrap();
    let best = on_cpu::from_checkpoint(run.join("best.safetensors"), &data).unwrap();
    assert_eq!(best.history().epochs().len(), if kid[1] < kid[0] { 2 } else { 1 });
    assert_eq!(history.curve("valid_fid_a").unwrap().len(), 2);
}
