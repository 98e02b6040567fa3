//! Fits of windows that are drawn from scenes.

use std::path::Path;

use geolearn::dataset::Augment;
use geolearn::{DataBunch, DatasetType, Domain, ErrorKind, PrepareData};

use super::stopped::After;
use super::{common, last, losses, model, options, tensors};

const SCENE: &str = "assets/scenes/bluemarble_asia.tif";

fn data(folder: &Path, change: fn(PrepareData) -> PrepareData) -> DataBunch {
    let options = PrepareData::new(folder, DatasetType::CycleGan).scenes(Domain::A, [SCENE]).scenes(Domain::B, [SCENE]);
    let options = options.bands(Domain::B, [1]).chip_size(32).windows_per_epoch(5).augment(Augment::default());
    change(options).prepare().unwrap()
}

/// Stopped within an epoch or at its end, and gone on with by other data of the same scenes and another number of workers.
#[test]
fn a_fit_of_scenes_resumes_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (unbroken, broken) = (folder.path().join("unbroken"), folder.path().join("broken"));
    let mut whole = model(&data(folder.path(), |options| options.workers(2)));
    whole.fit(options(2, &unbroken)).unwrap();
    for steps in [2, 5, 8] {
        let _ = std::fs::remove_dir_all(&broken);
        model(&data(folder.path(), |options| options.workers(0)))
            .fit(options(2, &broken).callback(After(steps)))
            .unwrap();
        let mut second = model(&data(folder.path(), |options| options.workers(3)));
        second.fit(options(2, &broken)).unwrap();
        assert_eq!(common::answer(&second), common::answer(&whole));
        assert!(tensors(&last(&broken)) == tensors(&last(&unbroken)), "stopped after {steps} steps");
        assert_eq!(losses(&last(&broken)), losses(&last(&unbroken)));
    }
}

#[test]
fn other_windows_are_other_data() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    model(&data(folder.path(), |options| options)).fit(options(1, &run)).unwrap();
    let changes: [fn(PrepareData) -> PrepareData; 3] = [
        |options| options.min_valid_share(0.5),
        |options| options.windows_per_epoch(6),
        |options| options.resolution(0.2),
    ];
    for change in changes {
        let error = model(&data(folder.path(), change)).fit(options(2, &run)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
}
