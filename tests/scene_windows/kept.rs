//! What was found in large scenes, kept for the next time.

use std::fs;
use std::path::{Path, PathBuf};

use geolearn::raster::{Compression, RasterSpec, RasterWriter, Samples};
use geolearn::{DataBunch, Domain, PrepareData};
use ndarray::{Array3, Axis, concatenate};

use super::{SCENE, bytes, options, scene};

/// Copies of the scene side by side, uncompressed: more than 8 MiB, so that what is found is worth keeping.
fn large(folder: &Path, name: &str, copies: usize) -> PathBuf {
    let image = bytes(&scene());
    let row: Array3<u8> = concatenate(Axis(2), &[image.view(), image.view(), image.view()]).unwrap();
    let spec = RasterSpec::new(3, 320 * copies, 512 * 3, geolearn::raster::Dtype::U8).compression(Compression::None);
    let path = folder.join(name);
    let mut writer = RasterWriter::create(&path, spec).unwrap();
    (0..copies).for_each(|_| writer.write_rows(&Samples::U8(row.clone())).unwrap());
    writer.finish().unwrap();
    assert!(path.metadata().unwrap().len() > 8 << 20);
    path
}

/// Brightest red of domain A.
fn max(data: &DataBunch) -> f64 {
    data.statistics(Domain::A).bands()[0].max
}

#[test]
fn a_survey_of_scenes_is_recalled_until_something_changes() {
    let folder = tempfile::tempdir().unwrap();
    let scene = large(folder.path(), "large.tif", 6);
    let found = folder.path().join("found");
    let options = || options(&found, &scene, SCENE);
    let prepared = |options: PrepareData| options.prepare().unwrap();
    let first = prepared(options());
    let kept = found.join(".geolearn/scenes_a.json");
    let text = fs::read_to_string(&kept).unwrap();
    assert!(!found.join(".geolearn/scenes_b.json").exists(), "the small scene is looked at anew");

    // The same windows and statistics as before, and these come from the file.
    let again = prepared(options());
    assert_eq!(again.statistics(Domain::A), first.statistics(Domain::A));
    for split in [geolearn::dataset::Split::Train, geolearn::dataset::Split::Valid] {
        assert_eq!(again.windows(Domain::A, split, 3), first.windows(Domain::A, split, 3));
    }
    let true_max = max(&first);
    let stated = format!("\"max\":{true_max:?}");
    assert!(text.contains(&stated), "{stated}");
    fs::write(&kept, text.replacen(&stated, "\"max\":777.0", 1)).unwrap();
    assert_eq!(max(&prepared(options())), 777.0);

    // Not where it is not asked for, and not where it belongs to other windows, bands, options or scenes.
    assert_eq!(max(&prepared(options().cache(false))), true_max);
    let changes: [fn(PrepareData) -> PrepareData; 2] =
        [|options| options.chip_size(64), |options| options.bands(Domain::A, [1, 2])];
    for change in changes {
        fs::write(&kept, text.replacen(&stated, "\"max\":777.0", 1)).unwrap();
        assert_eq!(max(&prepared(change(options()))), true_max);
    }
    fs::write(&kept, text.replacen(&stated, "\"max\":777.0", 1)).unwrap();
    large(folder.path(), "large.tif", 7);
    let changed = prepared(options());
    assert_eq!(max(&changed), true_max);
    assert!(changed.len(Domain::A) > first.len(Domain::A));

    // Damage is no survey.
    fs::write(&kept, &text.as_bytes()[..text.len() / 2]).unwrap();
    assert_eq!(prepared(options()).statistics(Domain::A), changed.statistics(Domain::A));
}
