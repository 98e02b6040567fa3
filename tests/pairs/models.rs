//! Tests models on paired data.

use geolearn::dataset::Channels;
use geolearn::evaluation::{MetricsOptions, PairedScores};
use geolearn::train::Checkpoint;
use geolearn::{CycleGan, Device, ErrorKind, FitOptions, Pix2Pix};

use super::*;

const PAIRS: &str = "assets/bluemarble_test";

/// Copies some of the bundled pairs: as folders, and with each pair in one file.
fn folders_and_files(count: usize) -> [TempDir; 2] {
    let [folders, files] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut names: Vec<_> = fs::read_dir(Path::new(PAIRS).join("a")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    for name in names.iter().take(count).map(|name| name.to_str().unwrap()) {
        let [a, b] = ["a", "b"].map(|domain| Raster::open(Path::new(PAIRS).join(domain).join(name)).unwrap());
        write(folders.path(), &format!("A/{name}"), &a);
        write(folders.path(), &format!("B/{name}"), &b);
        write(files.path(), &format!("train/{name}"), &side_by_side(&a, &b));
    }
    [folders, files]
}

/// Builds the smallest model with every kind of layer; the same bands give the same weights.
fn small_model(data: &DataBunch) -> CycleGan {
    CycleGan::builder(data).device(Device::Cpu).gen_blocks(1).gen_features(4).disc_features(4).build().unwrap()
}

/// Returns the scores of a model into B, on the pairs of `data` or on the named ones.
fn scores(data: &DataBunch, options: MetricsOptions) -> PairedScores {
    let metrics = small_model(data).compute_metrics_with(options.progress(false).baselines(false)).unwrap();
    metrics.to_domain(Domain::B).unwrap().model.paired.clone().unwrap()
}

/// Partners are compared with each other in any layout; images that the caller names are never cut in half.
#[test]
fn metrics_go_by_pairs() {
    let roots = folders_and_files(5);
    let [folders, files] = roots.each_ref().map(|root| options(root.path()).val_split_pct(0.4).prepare().unwrap());
    let found = scores(&files, MetricsOptions::new());
    assert_eq!(found.pairs, 2);
    assert_eq!(found, scores(&folders, MetricsOptions::new()));
    let named = || MetricsOptions::new().pairs(roots[0].path().join("A"), roots[0].path().join("B"));
    let found = scores(&files, named());
    assert_eq!(found.pairs, 5);
    assert_eq!(found, scores(&folders, named()));
    // Images twice as wide as high are also complete images, of a different size than chips.
    let wide = tempfile::tempdir().unwrap();
    write(wide.path(), "A/1.png", &chip(64, 128, 1));
    write(wide.path(), "B/1.png", &chip(64, 128, 2));
    let named = || MetricsOptions::new().pairs(wide.path().join("A"), wide.path().join("B")).progress(false);
    for data in [&files, &folders] {
        let error = small_model(data).compute_metrics_with(named()).unwrap_err();
        assert!(error.kind() == ErrorKind::Format && error.to_string().contains("found 128 x 64"), "{error}");
    }
}

/// A model of pairs does not need images with one number of channels, and arcgis.learn's has none.
#[test]
fn domains_of_pairs_keep_their_own_bands() {
    let options = || options(Path::new(PAIRS)).bands(Domain::B, [1]);
    let channels = |data: &DataBunch| [data.channels(Domain::A), data.channels(Domain::B)];
    assert_eq!(channels(&options().prepare().unwrap()), [3, 1]);
    assert_eq!(channels(&options().channels(Channels::Shared).prepare().unwrap()), [3, 3]);
    let data = options().resize_to(32).batch_size(2).prepare().unwrap();
    let mut model = Pix2Pix::builder(&data).gen_levels(5).gen_features(2).disc_features(2).build().unwrap();
    model.fit(FitOptions::new(1).progress(false)).unwrap();
    let made = model.predict_a2b(&data.train_files(Domain::A)[0]).unwrap();
    assert_eq!((made.bands(), made.height()), (1, 64));
}

#[test]
fn cyclegan_learns_from_pairs_too() {
    assert!(CycleGan::supported_datasets().contains(&DatasetType::Pix2Pix));
    let data = options(Path::new(PAIRS)).resize_to(32).batch_size(4).prepare().unwrap();
    assert_eq!((data.dataset_type(), data.pairs(Split::Valid).len()), (DatasetType::Pix2Pix, 1));
    let mut model = small_model(&data);
    model.fit(FitOptions::new(1)).unwrap();
    assert_eq!(model.history().epochs().len(), 1);
}

/// A fit resumes with the same pairs, but not with other partners, nor with the same chips unpaired.
#[test]
fn another_pairing_does_not_resume() {
    let [folders, _] = folders_and_files(3);
    let run = tempfile::tempdir().unwrap();
    let data = |dataset_type| {
        let options = PrepareData::new(folders.path(), dataset_type).augment(Augment::none()).resize_to(32);
        options.val_split_pct(0.0).prepare().unwrap()
    };
    let fit = |dataset_type, epochs| {
        let options = FitOptions::new(epochs).progress(false).checkpoint(Checkpoint::Last);
        small_model(&data(dataset_type)).fit(options.checkpoint_dir(run.path()).resume(true))
    };
    fit(DatasetType::Pix2Pix, 1).unwrap();
    let refused = |dataset_type, key: &str| {
        let error = fit(dataset_type, 1).unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.to_string().contains(key), "{key}: {error}");
    };
    refused(DatasetType::CycleGan, "pairing");
    let files: Vec<PathBuf> = data(DatasetType::Pix2Pix).train_files(Domain::B).to_vec();
    let [first, second] = [&files[0], &files[1]].map(|file| fs::read(file).unwrap());
    fs::write(&files[0], &second).unwrap();
    fs::write(&files[1], &first).unwrap();
    refused(DatasetType::Pix2Pix, "domains.b.contents");
    fs::write(&files[0], &first).unwrap();
    fs::write(&files[1], &second).unwrap();
    let history = fit(DatasetType::Pix2Pix, 1).unwrap();
    assert_eq!(history.epochs().len(), 1);
}
