//! `compute_metrics` of models on scenes.

use std::path::Path;

use geolearn::dataset::Split;
use geolearn::evaluation::{Metrics, MetricsOptions};
use geolearn::{DataBunch, DatasetType, Domain, PrepareData};

use super::{SCENE, on_cpu, options};

const RELIEF: &str = "assets/scenes/shadedrelief_asia.tif";
/// Keeps its own scaling, whatever the data.
const MODEL: &str = "tests/fixtures/models/sat2relief";

fn measure(data: &DataBunch) -> Metrics {
    let mut model = on_cpu::from_model(MODEL, Some(data)).unwrap();
    model.compute_metrics_with(MetricsOptions::new().progress(false).baselines(false)).unwrap()
}

/// The validation windows as chips of a fixed validation set, beside some chips that would train.
fn as_chips(data: &DataBunch, root: &Path, kind: DatasetType) -> DataBunch {
    for domain in Domain::BOTH {
        let letter = domain.to_string().to_lowercase();
        for (part, split, count) in [("train", Split::Train, 3), ("valid", Split::Valid, data.valid_len(domain))] {
            let folder = root.join(format!("{part}_{letter}"));
            std::fs::create_dir_all(&folder).unwrap();
            for index in 0..count {
                let window = data.image(domain, split, index).unwrap();
                window.save(folder.join(format!("{index:03}.tif"))).unwrap();
            }
        }
    }
    PrepareData::new(root, kind).progress(false).prepare().unwrap()
}

/// The scores of the validation windows are those of the same pixels as chips.
#[test]
fn metrics_of_windows_are_those_of_chips() {
    let folder = tempfile::tempdir().unwrap();
    let data = options(folder.path(), SCENE, RELIEF).prepare().unwrap();
    let chips = as_chips(&data, &folder.path().join("chips"), DatasetType::CycleGan);
    let (found, expected) = (measure(&data), measure(&chips));
    for to in Domain::BOTH {
        let [found, expected] = [&found, &expected].map(|metrics| metrics.to_domain(to).unwrap());
        assert_eq!((found.translated, found.real), (16, 16));
        assert!(found.model.paired.is_none() && found.round_trip.is_some());
        assert_eq!(found.round_trip, expected.round_trip);
        assert_eq!(
            (found.real_checkerboard, &found.model.kid, &found.model.fid),
            (expected.real_checkerboard, &expected.model.kid, &expected.model.fid)
        );
    }
}

/// Pairs of windows are compared pixel by pixel.
#[test]
fn metrics_of_paired_windows_are_those_of_chips() {
    let folder = tempfile::tempdir().unwrap();
    let options = PrepareData::new(folder.path(), DatasetType::Pix2Pix).chip_size(32).progress(false);
    let data = options.scenes(Domain::A, [SCENE]).scenes(Domain::B, [RELIEF]).prepare().unwrap();
    let chips = as_chips(&data, &folder.path().join("chips"), DatasetType::Pix2Pix);
    let paired =
        |data: &DataBunch| Domain::BOTH.map(|to| measure(data).to_domain(to).unwrap().model.paired.clone().unwrap());
    let found = paired(&data);
    assert!(found.iter().all(|scores| scores.pairs == 16 && scores.psnr.unwrap() > 5.0), "{found:?}");
    assert_eq!(found, paired(&chips));
}
