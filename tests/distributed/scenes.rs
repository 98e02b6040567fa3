//! Scenes that several processes translate together.

use std::path::Path;

use super::child::{SCENE, raster_options, translator};
use super::processes::{FAULT, Group};

fn alone(folder: &Path) -> Vec<u8> {
    let output = folder.join("alone.tif");
    translator().predict_raster(SCENE, &output, raster_options()).unwrap();
    std::fs::read(output).unwrap()
}

#[test]
fn a_scene_of_several_processes_is_that_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let expected = alone(folder.path());
    for count in [2, 4] {
        let said = Group::start(folder.path(), "translate", count, &[]).finish();
        assert!(said.iter().all(|said| said.starts_with("1 output, ")), "{said:?}");
        let output = folder.path().join("out.tif");
        assert!(std::fs::read(&output).unwrap() == expected, "{count} processes");
        assert!(!folder.path().join("out.tif.parts").exists());
        std::fs::remove_file(output).unwrap();
    }
}

/// Whoever it is: the others end by themselves with its name, no half file is left, and another number of processes goes on.
#[test]
fn a_process_that_is_killed_within_a_scene_is_named_by_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let expected = alone(folder.path());
    for fault in ["2 abort 3", "0 abort 4", "1 exit 2"] {
        let culprit: usize = fault.split(' ').next().unwrap().parse().unwrap();
        let said = Group::start(folder.path(), "translate", 3, &[(FAULT, fault)]).finish_except(Some(culprit));
        for said in said.iter().enumerate().filter(|(rank, _)| *rank != culprit).map(|(_, said)| said) {
            assert!(said.starts_with("Peer: ") && said.contains(&format!("process {culprit}")), "{fault}: {said}");
        }
        assert!(!folder.path().join("out.tif").exists() && folder.path().join("out.tif.parts").exists());
    }
    Group::start(folder.path(), "translate", 2, &[]).finish();
    assert!(std::fs::read(folder.path().join("out.tif")).unwrap() == expected);
}
