//! Models on paired data.

use geolearn::{CycleGan, Device, FitOptions, MetricsOptions, PairedScores};

use super::*;

const PAIRS: &str = "assets/bluemarble_test";

/// The bundled pairs, each in one file.
fn files_of_two() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(Path::new(PAIRS).join("a")).unwrap() {
        let name = entry.unwrap().file_name();
        let [a, b] = ["a", "b"].map(|domain| Raster::open(Path::new(PAIRS).join(domain).join(&name)).unwrap());
        write(root.path(), &format!("train/{}", name.to_string_lossy()), &side_by_side(&a, &b));
    }
    root
}

/// The smallest model that still has every kind of layer; the same weights for the same bands.
fn small_model(data: &DataBunch) -> CycleGan {
    CycleGan::builder(data).device(Device::Cpu).gen_blocks(1).gen_features(4).disc_features(4).build().unwrap()
}

/// The scores of a model into B on the pairs of `data`, or on those that are named.
fn scores(data: &DataBunch, options: MetricsOptions) -> PairedScores {
    let metrics = small_model(data).compute_metrics_with(options.progress(false).baselines(false)).unwrap();
    metrics.to_domain(Domain::B).unwrap().model.paired.clone().unwrap()
}

/// Partners are compared with each other, wherever they lie; images that the caller names are never cut in half.
#[test]
fn metrics_go_by_pairs() {
    let halves = files_of_two();
    let [folders, files] =
        [Path::new(PAIRS), halves.path()].map(|root| options(root).val_split_pct(0.3).prepare().unwrap());
    let found = scores(&files, MetricsOptions::new());
    assert_eq!(found.pairs, 4);
    assert_eq!(found, scores(&folders, MetricsOptions::new()));
    let named = || MetricsOptions::new().pairs("assets/bluemarble_test/a", "assets/bluemarble_test/b");
    let found = scores(&files, named());
    assert_eq!(found.pairs, 13);
    assert_eq!(found, scores(&folders, named()));
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
