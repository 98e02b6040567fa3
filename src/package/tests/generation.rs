//! A definition and its weights stay together: through kills, saves at the same time, and mixing by hand.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::folder::{FILES, emd, save_with};
use super::*;
use crate::error::ErrorKind;
use crate::package::folder::{Place, find};
use crate::testing::KILL_AT;

/// Names the folder into which a child process saves.
const FOLDER: &str = "GEOLEARN_TEST_SAVE_FOLDER";

/// Saves a model whose definition and weights hold the same number.
fn save(folder: &Path, number: f32) {
    let place = Place::to_save(folder, folder).unwrap();
    let mut emd = emd(&place);
    emd.learning_rate = Some(number.into());
    emd.geolearn = Some(json!({}));
    save_with(&place, &emd, number).unwrap();
}

/// As arcgis.learn and earlier releases save: nothing says what belongs together.
fn save_unmarked(folder: &Path, number: f32) {
    let place = Place::to_save(folder, folder).unwrap();
    let mut emd = emd(&place);
    emd.learning_rate = Some(number.into());
    save_with(&place, &emd, number).unwrap();
}

/// The number in the definition, which is that in the weights.
fn opened(folder: &Path) -> f64 {
    let model = find(folder, folder).unwrap().open(OPENING).unwrap();
    let number = model.emd.learning_rate.unwrap();
    assert_eq!(values(&model.tensors[0].1), [number], "two models are mixed");
    number
}

/// Not a test of its own: what a child process runs.
#[test]
#[ignore = "run by the test that kills it"]
fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        save(Path::new(&folder), 2.0);
    }
}

/// Saves in a process that is killed before the given step; says whether it came to the end.
fn killed_at(folder: &Path, step: usize) -> bool {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["package::tests::generation::child", "--exact", "--ignored", "--quiet"])
        .envs([(FOLDER, folder.as_os_str()), (KILL_AT, step.to_string().as_ref())])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    status.success()
}

#[test]
fn killed_at_any_step_a_save_leaves_the_older_or_the_newer_model() {
    for first in [save, save_unmarked] {
        let mut outcomes = Vec::new();
        for step in 0.. {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join("m");
            first(&folder, 1.0);
            let ended = killed_at(&folder, step);
            outcomes.push(opened(&folder));
            // What is left is tidied up, and hinders nobody.
            save(&folder, 3.0);
            assert_eq!(opened(&folder), 3.0);
            assert_eq!(fs::read_dir(&folder).unwrap().count(), FILES, "step {step}");
            if ended {
                break;
            }
        }
        // Five files are kept aside, published and let go.
        assert!(outcomes.len() > 15, "{outcomes:?}");
        assert!(outcomes.is_sorted() && outcomes.contains(&1.0) && outcomes.contains(&2.0), "{outcomes:?}");
    }
}

/// A second kill meets what the first one left.
#[test]
fn a_save_killed_after_a_killed_save_leaves_the_older_model() {
    for step in 0..6 {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("m");
        save_unmarked(&folder, 1.0);
        // The weights were replaced and the definition was not.
        assert!(!killed_at(&folder, 3));
        assert!(!killed_at(&folder, step));
        assert!([1.0, 2.0].contains(&opened(&folder)));
    }
}

#[test]
fn saves_at_the_same_time_leave_one_of_the_models() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("m");
    save(&folder, 1.0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                assert!((1.0..=4.0).contains(&opened(&folder)));
            }
        });
        for _ in 0..40 {
            std::thread::scope(|savers| {
                for number in [1.0, 2.0, 3.0, 4.0] {
                    let folder = &folder;
                    savers.spawn(move || save(folder, number));
                }
            });
            opened(&folder);
        }
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
    });
    assert_eq!(fs::read_dir(&folder).unwrap().count(), FILES);
}

#[test]
fn a_mixture_is_recognized() {
    let root = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| root.path().join(name));
    save(&a, 1.0);
    save(&b, 2.0);
    fs::copy(b.join("b.pth"), a.join("a.pth")).unwrap();
    for path in [a.clone(), a.join("a.emd"), a.join("a.pth")] {
        let error = find(&a, &path).unwrap().open(OPENING).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format, "{error}");
        assert!(error.to_string().contains("a.pth") && error.to_string().contains("mixed"), "{error}");
    }
    // The way out that the error tells of.
    let text = fs::read_to_string(a.join("a.emd")).unwrap();
    let mut definition: serde_json::Value = serde_json::from_str(&text).unwrap();
    definition["Geolearn"].as_object_mut().unwrap().remove("Weights").unwrap();
    fs::write(a.join("a.emd"), definition.to_string()).unwrap();
    let model = find(&a, &a).unwrap().open(OPENING).unwrap();
    assert_eq!(values(&model.tensors[0].1), [2.0]);
    // The package is of one piece.
    assert_eq!(values(&find(&a, &a.join("a.dlpk")).unwrap().open(OPENING).unwrap().tensors[0].1), [1.0]);
    save(&a, 3.0);
    assert_eq!(opened(&a), 3.0);
}

/// What cannot be opened does not replace what can.
#[test]
fn a_definition_that_nobody_could_read_is_not_put_in_place() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("m");
    save(&folder, 1.0);
    let place = Place::to_save(&folder, &folder).unwrap();
    let mut emd = emd(&place);
    emd.image_height = usize::MAX;
    let error = save_with(&place, &emd, 2.0).unwrap_err();
    assert!(error.to_string().contains("ImageHeight"), "{error}");
    assert_eq!(opened(&folder), 1.0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), FILES);
}
